//! Builds every WebAssembly component in the repository: the plugins users get
//! (`plugins/`) and the guests that tests run (`tests/guests/`).
//!
//! Two steps each: cargo compiles a core module for `wasm32-unknown-unknown`,
//! then `wit-component` wraps it into a component that imports nothing but our
//! own interfaces. Results lie in `target/guests/<package>.wasm`.

use anyhow::{Context, Result, bail, ensure};
use std::{
    ffi::OsString,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

const TARGET: &str = "wasm32-unknown-unknown";
/// Cargo workspaces of components, below the root.
const WORKSPACES: [&str; 2] = ["plugins", "tests/guests"];
/// Debian's compiler, its cargo, and the standard library's source.
const PACKAGES: [&str; 3] = ["rustc-web", "cargo-web", "rust-web-src"];

/// Builds all components and returns the folder they lie in. Installs the wasm
/// target when it is missing; what cannot be installed is named in the error.
pub fn build_guests(root: &Path) -> Result<PathBuf> {
    let toolchain = Toolchain::find(root)?;
    let out = root.join("target/guests");
    fs::create_dir_all(&out).with_context(|| format!("cannot create {}", out.display()))?;
    for workspace in WORKSPACES {
        let folder = root.join(workspace);
        say(&format!("guests: building {workspace} for {TARGET}"));
        let modules = toolchain.build(&folder)?;
        for module in modules {
            let component = encode(&module)?;
            let name = module.file_stem().unwrap_or_default().to_string_lossy();
            let path = out.join(format!("{}.wasm", name.replace('_', "-")));
            // Written only when changed, so that nothing after it is rebuilt.
            if fs::read(&path).is_ok_and(|old| old == component) {
                continue;
            }
            fs::write(&path, &component)
                .with_context(|| format!("cannot write {}", path.display()))?;
            say(&format!(
                "guests: {} ({} KiB)",
                path.strip_prefix(root).unwrap_or(&path).display(),
                component.len().div_ceil(1024)
            ));
        }
    }
    Ok(out)
}

/// Wraps one module, of any workspace, into the component at `out`.
pub fn component(module: &Path, out: &Path) -> Result<()> {
    let component = encode(module)?;
    fs::write(out, &component).with_context(|| format!("cannot write {}", out.display()))?;
    say(&format!(
        "component: {} ({} KiB)",
        out.display(),
        component.len().div_ceil(1024)
    ));
    Ok(())
}

/// Runs the native tests of the guests' side: the SDK and the plugins' logic.
pub fn test_guests(root: &Path) -> Result<()> {
    for folder in ["sdk/rust", "plugins"] {
        let folder = root.join(folder);
        let cache = cache(&folder)?;
        say(&format!("guests: testing {}", folder.display()));
        let status = Command::new(cargo())
            .args(["test", "--locked", "--workspace"])
            .current_dir(&folder)
            .env("CARGO_TARGET_DIR", &cache)
            .env("CARGO_BUILD_BUILD_DIR", &cache)
            .status()
            .context("cannot start cargo")?;
        ensure!(status.success(), "the tests of {} failed", folder.display());
    }
    Ok(())
}

/// A core module as a component.
fn encode(module: &Path) -> Result<Vec<u8>> {
    let bytes = fs::read(module).with_context(|| format!("cannot read {}", module.display()))?;
    wit_component::ComponentEncoder::default()
        .module(&bytes)
        .and_then(|encoder| encoder.validate(true).encode())
        .with_context(|| format!("{} does not make a component", module.display()))
}

/// Whether the toolchain in use has the wasm target, after adding it with rustup
/// where that works.
pub fn add_target(root: &Path) -> Result<bool> {
    let library = sysroot(root)?.join("lib/rustlib").join(TARGET).join("lib");
    if library.is_dir() {
        return Ok(true);
    }
    say(&format!("guests: installing {TARGET} with rustup"));
    let added = Command::new("rustup")
        .args(["target", "add", TARGET])
        .current_dir(root)
        .status();
    Ok(added.is_ok_and(|status| status.success()) && library.is_dir())
}

/// How to compile for the wasm target on this machine.
enum Toolchain {
    /// The toolchain in use has the target.
    Native,
    /// Debian's compiler builds the standard library from source; the linker
    /// is that of the toolchain in use.
    Debian {
        /// Path of `rust-lld`.
        linker: PathBuf,
    },
}

impl Toolchain {
    fn find(root: &Path) -> Result<Self> {
        if add_target(root)? {
            return Ok(Self::Native);
        }
        say("guests: rustup cannot add the target, trying Debian's packages");
        match debian(&sysroot(root)?) {
            Ok(toolchain) => Ok(toolchain),
            Err(why) => bail!(
                "no compiler for {TARGET}: run `rustup target add {TARGET}`, or as root \
                 `apt-get install {}` ({why:#})",
                PACKAGES.join(" ")
            ),
        }
    }

    /// Compiles a workspace and returns its core modules.
    fn build(&self, workspace: &Path) -> Result<Vec<PathBuf>> {
        let mut command = match self {
            Self::Native => Command::new(cargo()),
            Self::Debian { linker } => {
                let mut command = Command::new("/usr/bin/cargo");
                command
                    .env("RUSTC", "/usr/bin/rustc")
                    .env("RUSTC_BOOTSTRAP", "1")
                    .env("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER", linker);
                command
            }
        };
        let cache = cache(workspace)?;
        command
            .args(["build", "--release", "--workspace", "--locked"])
            .args(["--target", TARGET])
            .current_dir(workspace)
            // Apart from the host's build, so that neither waits for the other's lock.
            .env("CARGO_TARGET_DIR", &cache)
            .env("CARGO_BUILD_BUILD_DIR", &cache)
            // Set by an outer `cargo run`; they would leak the host's choices in.
            .env_remove("RUSTFLAGS")
            .env_remove("CARGO_ENCODED_RUSTFLAGS");
        if matches!(self, Self::Debian { .. }) {
            command.arg("-Zbuild-std=std,panic_abort");
        }
        let status = command
            .status()
            .with_context(|| format!("cannot start {:?}", command.get_program()))?;
        ensure!(status.success(), "building {} failed", workspace.display());
        let modules = members(workspace)?
            .into_iter()
            .map(|name| {
                let file = format!("{}.wasm", name.replace('-', "_"));
                cache.join(TARGET).join("release").join(file)
            })
            .collect();
        Ok(modules)
    }
}

/// Packages of a workspace that make a component: all its members.
fn members(workspace: &Path) -> Result<Vec<String>> {
    let path = workspace.join("Cargo.toml");
    let text =
        fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
    let manifest: toml::Table = text
        .parse()
        .with_context(|| format!("{} is not TOML", path.display()))?;
    let members = manifest
        .get("workspace")
        .and_then(|table| table.get("members"))
        .and_then(toml::Value::as_array)
        .with_context(|| format!("{} lists no workspace members", path.display()))?;
    let names = members.iter().filter_map(toml::Value::as_str);
    Ok(names.map(str::to_owned).collect())
}

fn debian(sysroot: &Path) -> Result<Toolchain> {
    let linker = find_linker(sysroot).context("the toolchain in use has no rust-lld")?;
    let source = Path::new("/usr/lib/rustlib/src/rust/library/std");
    if !(Path::new("/usr/bin/rustc").exists() && source.exists()) {
        ensure!(
            rustix::process::geteuid().is_root(),
            "installing them needs root"
        );
        let run = |args: &[&str]| -> Result<()> {
            let status = Command::new("apt-get")
                .args(args)
                .env("DEBIAN_FRONTEND", "noninteractive")
                .status()
                .context("cannot start apt-get")?;
            ensure!(status.success(), "apt-get {} failed", args.join(" "));
            Ok(())
        };
        run(&["update"])?;
        let mut install = vec!["install", "--yes", "--no-install-recommends"];
        install.extend(PACKAGES);
        run(&install)?;
    }
    Ok(Toolchain::Debian { linker })
}

/// `rust-lld` of the toolchain in use: below the one host target that has it.
fn find_linker(sysroot: &Path) -> Option<PathBuf> {
    let targets = fs::read_dir(sysroot.join("lib/rustlib")).ok()?;
    targets
        .flatten()
        .map(|target| target.path().join("bin/rust-lld"))
        .find(|path| path.exists())
}

fn sysroot(root: &Path) -> Result<PathBuf> {
    let output = Command::new("rustc")
        .args(["--print", "sysroot"])
        .current_dir(root)
        .output()
        .context("cannot start rustc; install Rust 1.95 or later")?;
    ensure!(output.status.success(), "rustc --print sysroot failed");
    let path = String::from_utf8(output.stdout).context("the sysroot is not UTF-8")?;
    Ok(PathBuf::from(path.trim()))
}

/// The cargo that runs this task.
fn cargo() -> OsString {
    std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into())
}

/// Where intermediate files go: beside the host build's, shared by all clones
/// (cargo tells them apart), one folder per workspace.
fn cache(workspace: &Path) -> Result<PathBuf> {
    let home = std::env::var_os("CARGO_HOME").map_or_else(
        || std::env::home_dir().map(|home| home.join(".cargo")),
        |home| Some(PathBuf::from(home)),
    );
    let name = workspace.file_name().context("the workspace has no name")?;
    let home = home.context("neither CARGO_HOME nor a home folder is known")?;
    Ok(home.join("tollgate-build/guests").join(name))
}

fn say(line: &str) {
    // Progress goes to stderr; losing it when stderr is closed is no failure.
    drop(console::Term::stderr().write_line(line));
}
