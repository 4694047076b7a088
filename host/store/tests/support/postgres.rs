//! A PostgreSQL server of our own in a temporary folder, for as long as the
//! value lives. It listens on a socket inside that folder and nowhere else.
//!
//! Needs nothing but `std` and `tempfile`, so that other test packages include
//! it with `#[path]`.

use std::{
    os::unix::{
        fs::{MetadataExt as _, PermissionsExt as _},
        process::CommandExt as _,
    },
    path::{Path, PathBuf},
    process::{Command, Output},
};
use tempfile::TempDir;

const MISSING: &str = "PostgreSQL's server programs (initdb, pg_ctl, createdb) were not found in \
    /usr/lib/postgresql/*/bin, in PATH or by pg_config; install the Debian package `postgresql` \
    (`cargo xtask test` does it)";

/// A running server. Stopped, and its data removed, on drop.
pub(crate) struct Postgres {
    folder: TempDir,
    programs: PathBuf,
    /// Set when we are root, as whom PostgreSQL refuses to run.
    user: Option<(u32, u32)>,
}

impl Postgres {
    /// Makes a cluster and starts a server on it. Panics with what to install
    /// if there is no PostgreSQL.
    pub(crate) fn start() -> Self {
        Self::start_with(&[], "")
    }

    /// Like [`Postgres::start`], with files beside its data that only the server
    /// may read, and further options in which `@` stands for their folder.
    pub(crate) fn start_with(files: &[(&str, &[u8])], options: &str) -> Self {
        let programs = programs().expect(MISSING);
        let folder = tempfile::Builder::new()
            .prefix("tollgate-postgres-")
            .tempdir()
            .expect("a temporary folder");
        let owner = std::fs::metadata(folder.path()).expect("metadata").uid();
        let user = (owner == 0).then(unprivileged);
        if let Some((uid, gid)) = user {
            std::os::unix::fs::chown(folder.path(), Some(uid), Some(gid)).expect("chown");
        }
        let server = Self {
            folder,
            programs,
            user,
        };
        let data = server.data();
        server.run(
            "initdb",
            &["--no-sync", "--auth=trust", "--username=tollgate"],
            &["--encoding=UTF8", "--locale=C.UTF-8", "-D", &data],
        );
        for (name, content) in files {
            server.keep(name, content);
        }
        let options = format!(
            "-c listen_addresses='' -c unix_socket_directories='@' -c fsync=off \
             -c shared_buffers=16MB -c max_connections=60 {options}"
        );
        let options = options.replace('@', &server.folder.path().display().to_string());
        let log = server.folder.path().join("log").display().to_string();
        server.run(
            "pg_ctl",
            &["start", "-w", "-s", "-D", &data],
            &["-l", &log, "-o", &options],
        );
        server
    }

    fn keep(&self, name: &str, content: &[u8]) {
        let path = self.folder.path().join(name);
        std::fs::write(&path, content).expect("a file for the server");
        let owner_only = std::fs::Permissions::from_mode(0o600);
        std::fs::set_permissions(&path, owner_only).expect("chmod");
        if let Some((uid, gid)) = self.user {
            std::os::unix::fs::chown(&path, Some(uid), Some(gid)).expect("chown");
        }
    }

    /// Makes a database and gives its URL.
    pub(crate) fn database(&self, name: &str) -> String {
        let socket = self.folder.path().display().to_string();
        self.run("createdb", &["-h", &socket, "-U", "tollgate"], &[name]);
        format!("postgres://tollgate:not-needed@localhost/{name}?host={socket}")
    }

    /// Stops the server now, cutting connections off.
    pub(crate) fn stop(&self) {
        let data = self.data();
        self.run(
            "pg_ctl",
            &["stop", "-w", "-s", "-m", "fast"],
            &["-D", &data],
        );
    }

    fn data(&self) -> String {
        self.folder.path().join("data").display().to_string()
    }

    fn run(&self, program: &str, arguments: &[&str], more: &[&str]) {
        let done = self.output(program, arguments, more);
        let log = std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default();
        assert!(
            done.status.success(),
            "{program} failed: {}{}{log}",
            String::from_utf8_lossy(&done.stdout),
            String::from_utf8_lossy(&done.stderr)
        );
    }

    fn output(&self, program: &str, arguments: &[&str], more: &[&str]) -> Output {
        let mut command = Command::new(self.programs.join(program));
        command.args(arguments).args(more);
        // The folder of the test may be closed to the other user.
        command.current_dir(self.folder.path());
        command
            .env_remove("PGDATA")
            .env_remove("PGHOST")
            .env("LC_ALL", "C.UTF-8");
        if let Some((uid, gid)) = self.user {
            command.gid(gid).uid(uid);
        }
        // The server inherits its files from pg_ctl, and a pipe would be waited
        // for until the server ends; so it goes to files.
        let (out, err) = (self.capture("out"), self.capture("err"));
        let status = command
            .stdin(std::process::Stdio::null())
            .stdout(out.1)
            .stderr(err.1)
            .status()
            .expect("the program starts");
        Output {
            status,
            stdout: std::fs::read(out.0).unwrap_or_default(),
            stderr: std::fs::read(err.0).unwrap_or_default(),
        }
    }

    fn capture(&self, name: &str) -> (PathBuf, std::fs::File) {
        let path = self.folder.path().join(name);
        let file = std::fs::File::create(&path).expect("a file for output");
        (path, file)
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        let data = self.data();
        // It may be stopped already, or never have started.
        self.output(
            "pg_ctl",
            &["stop", "-w", "-s", "-m", "immediate"],
            &["-D", &data],
        );
    }
}

/// The folder that holds all programs.
fn programs() -> Option<PathBuf> {
    let packaged = std::fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .flatten()
        .map(|version| version.path().join("bin"));
    let path = std::env::var_os("PATH").unwrap_or_default();
    let configured = Command::new("pg_config").arg("--bindir").output().ok();
    let configured = configured.map(|done| String::from_utf8_lossy(&done.stdout).trim().into());
    let complete = |folder: &PathBuf| {
        ["initdb", "pg_ctl", "postgres", "createdb"]
            .iter()
            .all(|program| folder.join(program).is_file())
    };
    packaged
        .chain(std::env::split_paths(&path))
        .chain(configured)
        .find(complete)
}

/// User and group of `postgres`, or else of `nobody`.
fn unprivileged() -> (u32, u32) {
    let users = std::fs::read_to_string(Path::new("/etc/passwd")).unwrap_or_default();
    let find = |name: &str| {
        let line = users
            .lines()
            .find(|line| line.split(':').next() == Some(name))?;
        let mut fields = line.split(':').skip(2).map(str::parse);
        Some((fields.next()?.ok()?, fields.next()?.ok()?))
    };
    find("postgres")
        .or_else(|| find("nobody"))
        .expect("root needs a user `postgres` or `nobody` to run PostgreSQL as")
}
