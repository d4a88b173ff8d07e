//! `lincah studio`.

use crate::args::Studio;
use crate::interrupt::asked_to_stop;
use crate::print::{next_steps, note, print_device};
use lincah::data::records::ReadOptions;
use lincah::data::text_columns::TextColumns;
use lincah::{BaseModel, ComputeOptions, Error, Task};
use lincah_studio::{Mix, NewProject, Project, Server, Sitting};

pub(crate) fn run(arguments: &Studio, compute: ComputeOptions) -> anyhow::Result<()> {
    let project = match &arguments.data {
        None => Project::open(&arguments.project)?,
        Some(texts) => {
            let task = if arguments.multi_label { Task::MultiLabel } else { Task::SingleLabel };
            let new = NewProject {
                texts: texts.clone(),
                columns: TextColumns::new(arguments.text.clone()),
                read: ReadOptions::default(),
                task,
                labels: arguments.labels.clone(),
                seed: arguments.seed,
                audit_texts: arguments.audit,
            };
            Project::create(&arguments.project, &new)?
        }
    };
    let (texts, labelled, audit) = (project.texts().len(), project.labels().labelled(), project.audit().len());
    let open = |name: &String| BaseModel::open(name, compute);
    let models = arguments.model.iter().map(open).collect::<Result<Vec<BaseModel>, Error>>()?;
    print_device(compute, &models[0]);
    note!("{texts} texts, {labelled} of them labelled; {audit} drawn by lot are kept for figures");
    let server = Server::bind(Sitting::new(project, &models, Mix::default())?, arguments.bind)?;
    note!("open http://{} (Ctrl-C ends it; every answer is on disk)", server.address()?);
    let _ = asked_to_stop();
    server.run_until(|| asked_to_stop().is_break())?;
    let project = arguments.project.display();
    next_steps(&[format!("lincah studio {project}"), format!("lincah train {project}/journal.jsonl --out classifier")]);
    Ok(())
}
