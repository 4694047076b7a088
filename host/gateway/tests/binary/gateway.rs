//! The real binary on a folder and a port of its own.

use std::{
    io::{Read as _, Write as _},
    net::TcpStream,
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    time::{Duration, Instant},
};
use tempfile::TempDir;

pub(crate) struct Gateway {
    child: Child,
    address: String,
    token: String,
    folder: TempDir,
}

/// A reply: status and body.
pub(crate) type Reply = (u16, String);

/// The binary, with no setting of this process.
pub(crate) fn tollgate(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tollgate"));
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("TOLLGATE_") {
            command.env_remove(name);
        }
    }
    command.current_dir(folder).args(arguments);
    command
}

impl Gateway {
    /// Starts with default settings but for the port, in a folder where a
    /// killed gateway left its address.
    pub(crate) fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("tollgate-data");
        std::fs::create_dir(&data).unwrap();
        let listen = data.join("listen");
        std::fs::write(&listen, "stale").unwrap();
        let child = tollgate(folder.path(), &["serve", "--listen", "127.0.0.1:0"])
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let deadline = Instant::now() + Duration::from_secs(60);
        let address = loop {
            match std::fs::read_to_string(&listen) {
                Ok(address) if address != "stale" => break address,
                _ => assert!(Instant::now() < deadline, "the gateway did not start"),
            }
            std::thread::sleep(Duration::from_millis(5));
        };
        let token = std::fs::read_to_string(data.join("admin.token")).unwrap();
        Self {
            child,
            address,
            token: token.trim().to_owned(),
            folder,
        }
    }

    pub(crate) fn data(&self) -> PathBuf {
        self.folder.path().join("tollgate-data")
    }

    /// Runs a command against it, from its folder.
    pub(crate) fn run(&self, arguments: &[&str]) -> Output {
        let server = format!("http://{}", self.address);
        tollgate(self.folder.path(), arguments)
            .env("TOLLGATE_SERVER", server)
            .output()
            .unwrap()
    }

    /// One request to the admin API as admin, on a connection of its own.
    pub(crate) fn ask(&self, method: &str, path: &str, headers: &str, body: &[u8]) -> Reply {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        stream
            .set_read_timeout(Some(Duration::from_secs(30)))
            .unwrap();
        let head = format!(
            "{method} /admin/v1{path} HTTP/1.1\r\nhost: {}\r\nauthorization: Bearer {}\r\n\
             {headers}content-length: {}\r\nconnection: close\r\n\r\n",
            self.address,
            self.token,
            body.len()
        );
        stream.write_all(head.as_bytes()).unwrap();
        stream.write_all(body).unwrap();
        let mut reply = String::new();
        stream.read_to_string(&mut reply).unwrap();
        let (head, body) = reply.split_once("\r\n\r\n").unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        (status, body.to_owned())
    }

    pub(crate) fn post(&self, path: &str, body: &serde_json::Value) -> Reply {
        self.ask("POST", path, "", body.to_string().as_bytes())
    }

    /// Uploads bytes; their digest.
    pub(crate) fn upload(&self, bytes: &[u8]) -> String {
        let (status, body) = self.ask("POST", "/artifacts", "", bytes);
        assert_eq!(status, 201, "{body}");
        let answer: serde_json::Value = serde_json::from_str(&body).unwrap();
        answer["digest"].as_str().unwrap().to_owned()
    }

    /// Where the bytes of a digest are kept.
    pub(crate) fn artifact(&self, digest: &str) -> PathBuf {
        let hex = digest.strip_prefix("sha256:").unwrap();
        let shelf = self
            .data()
            .join("artifacts/sha256")
            .join(hex.get(..2).unwrap());
        shelf.join(hex)
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}
