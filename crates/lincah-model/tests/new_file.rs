//! What a signal handler asks for; alone in its process, for it removes every temporary.

use lincah_model::new_file::{NewFile, TemporaryFolder, remove_temporary_files};
use std::io::Write;

#[test]
fn all_that_is_not_finished_is_removed_when_asked() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("finished");
    NewFile::create(&path).unwrap().commit().unwrap();
    let mut file = NewFile::create(&folder.path().join("file")).unwrap();
    file.write_all(b"texts").unwrap();
    let below = TemporaryFolder::create_in(folder.path()).unwrap();
    std::fs::write(below.path().join("inside"), "texts").unwrap();
    assert_eq!(folder.path().read_dir().unwrap().count(), 3);

    remove_temporary_files();
    let left: Vec<_> = folder.path().read_dir().unwrap().map(|entry| entry.unwrap().path()).collect();
    assert_eq!(left, [path]);
    assert!(file.commit().is_err(), "it does not come back half written");
    assert_eq!(folder.path().read_dir().unwrap().count(), 1);
}
