//! `lincah serve`.

use crate::args::{RequestLog, Serve};
use crate::interrupt::asked_to_stop;
use crate::print::{is_quiet, note};
use lincah::ComputeOptions;
use lincah_serve::{ServeConfig, ServeError, ServeState, Server};
use std::collections::BTreeMap;
use std::path::PathBuf;

pub(crate) fn run(arguments: &Serve, compute: ComputeOptions) -> anyhow::Result<()> {
    let config = config(arguments)?;
    if arguments.check {
        note!("{}: loaded; nothing is wrong", ServeState::check(config, compute)?.join(", "));
        return Ok(());
    }
    let server = Server::bind(config, compute)?;
    let names = server.names().join(", ");
    note!("serving {names} at http://{}", server.address()?);
    log_requests(arguments.log);
    // From here on a request to end is heard, and what is under way is answered first.
    let _ = asked_to_stop();
    server.run_until(
        || asked_to_stop().is_break(),
        |name, result| match result {
            Ok(()) => note!("{name}: loaded anew"),
            Err(error) => note!("{name}: its folder has changed, but cannot be loaded; the last one goes on: {error}"),
        },
    )?;
    note!("everything is answered");
    Ok(())
}

/// Sends what the server tells of requests to standard error.
fn log_requests(form: RequestLog) {
    let lines = tracing_subscriber::fmt().with_writer(std::io::stderr).with_ansi(false).with_target(false);
    // A process that serves a second time logs as it did.
    let _ = match form {
        _ if is_quiet() => Ok(()),
        RequestLog::Text => lines.compact().try_init(),
        RequestLog::Json => lines.json().flatten_event(true).try_init(),
        RequestLog::None => Ok(()),
    };
}

/// The file's settings, over them the environment's, and over both the options.
fn config(arguments: &Serve) -> Result<ServeConfig, ServeError> {
    let config = arguments.config.as_deref().map(ServeConfig::read).transpose()?.unwrap_or_default();
    let variable = |name: &str| std::env::var_os(name).map(|value| value.to_string_lossy().into_owned());
    let mut config = config.with_environment(variable)?;
    if !arguments.classifiers.is_empty() {
        config.classifiers = named(&arguments.classifiers)?;
    }
    config.bind = arguments.bind.unwrap_or(config.bind);
    config.log_texts |= arguments.log_texts;
    for (option, setting) in [
        (&arguments.key_file, &mut config.key_file),
        (&arguments.feedback, &mut config.feedback),
        (&arguments.decision_log, &mut config.decision_log),
        (&arguments.decision_log_key_file, &mut config.decision_log_key_file),
    ] {
        if option.is_some() {
            setting.clone_from(option);
        }
    }
    if config.decision_log.is_none() {
        // The environment may name a key for servers that have a log.
        config.decision_log_key_file = None;
    }
    Ok(config)
}

/// Folders by the names in front of them, or their own.
fn named(folders: &[String]) -> Result<BTreeMap<String, PathBuf>, ServeError> {
    let mut named = BTreeMap::new();
    for folder in folders {
        let (name, folder) = match folder.split_once('=') {
            Some((name, folder)) if !name.is_empty() => (name.to_owned(), PathBuf::from(folder)),
            _ => {
                let path = PathBuf::from(folder);
                let whole = path.canonicalize().unwrap_or_else(|_| path.clone());
                (whole.file_name().map_or_else(|| folder.clone(), |name| name.to_string_lossy().into_owned()), path)
            }
        };
        if named.insert(name.clone(), folder).is_some() {
            return Err(ServeError::SameName { name });
        }
    }
    Ok(named)
}
