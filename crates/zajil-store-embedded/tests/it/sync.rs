//! A sync of the database that fails, as on a disk that is going.

use std::io::{BufRead as _, BufReader};
use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;
use std::process::{Command, Stdio};

use tempfile::TempDir;
use zajil_store::Store as _;
use zajil_store_embedded::{EmbeddedStore, Options};

use crate::make::{at, draft, id};

/// Names the directory to the process that is to lose its disk.
const DIRECTORY: &str = "STORE_WITHOUT_DISK";
const ABORTED: i32 = 6;

/// Takes the place of the system's calls: those of the database fail, those of its log do not.
const SHIM: &str = r#"
#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

static int fails(int file) {
    char link[64], name[4096];
    snprintf(link, sizeof link, "/proc/self/fd/%d", file);
    ssize_t length = readlink(link, name, sizeof name - 1);
    if (length < 0) return 0;
    name[length] = 0;
    size_t tail = strlen("queue.db");
    return (size_t)length >= tail && strcmp(name + length - tail, "queue.db") == 0;
}

static int sync_with(long call, int file) {
    if (!fails(file)) return (int)syscall(call, file);
    errno = EIO;
    return -1;
}

int fsync(int file) { return sync_with(SYS_fsync, file); }
int fdatasync(int file) { return sync_with(SYS_fdatasync, file); }
"#;

fn shim(folder: &Path) -> std::path::PathBuf {
    let (source, library) = (folder.join("shim.c"), folder.join("shim.so"));
    std::fs::write(&source, SHIM).unwrap();
    let mut compiler = Command::new("cc");
    compiler.args(["-shared", "-fPIC", "-o"]).arg(&library);
    assert!(compiler.arg(&source).status().unwrap().success());
    library
}

/// Accepts messages for ever, and names the last of those that were accepted.
async fn accept_for_ever(directory: &Path) -> ! {
    let store = EmbeddedStore::open(directory, &Options::default()).unwrap();
    let mut next = 1;
    loop {
        let drafts = (next..next + 500).map(|number| draft(number, "gw", 0));
        store.accept(drafts.collect(), at(0)).await.unwrap();
        next += 500;
        println!("\naccepted {}", next - 1);
    }
}

#[tokio::test]
async fn d5_a_database_that_cannot_be_synced_ends_the_process_and_a_new_one_has_everything() {
    if let Some(directory) = std::env::var_os(DIRECTORY) {
        accept_for_ever(Path::new(&directory)).await;
    }
    let folder = TempDir::new().unwrap();
    let directory = folder.path().join("data");
    // Made while the disk is sound.
    drop(EmbeddedStore::open(&directory, &Options::default()).unwrap());
    let test =
        "sync::d5_a_database_that_cannot_be_synced_ends_the_process_and_a_new_one_has_everything";
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", test, "--nocapture"])
        .env(DIRECTORY, &directory)
        .env("LD_PRELOAD", shim(folder.path()))
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let numbers = lines.map_while(Result::ok).filter_map(|line| {
        let number = line.strip_prefix("accepted ")?;
        number.parse::<u64>().ok()
    });
    let last = numbers.last().unwrap();
    assert_eq!(child.wait().unwrap().signal(), Some(ABORTED));
    let store = EmbeddedStore::open(&directory, &Options::default()).unwrap();
    for number in (1..=last).step_by(97).chain([last]) {
        assert!(
            store.message(id(number)).await.unwrap().is_some(),
            "{number} of {last}"
        );
    }
    assert!(store.figures().await.unwrap().pending >= last);
}
