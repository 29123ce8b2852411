//! Inputs that fuzzing has kept are replayed (`tests/corpus/<check>/`).

use std::fs;
use std::path::Path;

use crate::check;

#[test]
fn every_kept_input_passes_its_check() {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus");
    let mut replayed = 0;
    for folder in fs::read_dir(corpus).unwrap() {
        let folder = folder.unwrap();
        let name = folder.file_name().into_string().unwrap();
        let check = check::by_name(&name).unwrap_or_else(|| panic!("no check called {name}"));
        for input in fs::read_dir(folder.path()).unwrap() {
            check(&fs::read(input.unwrap().path()).unwrap());
            replayed += 1;
        }
    }
    assert!(replayed > 1000, "only {replayed} inputs");
}
