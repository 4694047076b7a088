//! Plugins in four languages, built from source and run in the real engine.
//!
//! `examples/plugins` holds one transform four times, and one golden file for
//! all. Projects as `plugin new` makes them cover every kind in every language:
//! their golden cases play detectors straight and with a snapshot in between,
//! and actions against scripted exchanges.
//!
//! A language whose toolchain is not here and cannot be installed is skipped,
//! and the reason printed. Components are kept under the digest of everything
//! that they are made from, and so is what the engine compiled of them.

#[cfg(test)]
mod tests {
    use authoring::{
        Language, Project,
        build::{BuildError, build},
        golden::{Golden, play},
    };
    use domain::{
        batch::{Batch, Block, Buffer},
        digest::Digest,
        plugin::{PluginKind, PluginLimits},
        tensor::{Tensor, TensorData},
    };
    use plugins::trial::Trial;
    use std::{
        fs,
        io::Write as _,
        path::{Path, PathBuf},
        sync::LazyLock,
    };

    const KINDS: [PluginKind; 3] = [
        PluginKind::Transform,
        PluginKind::Detector,
        PluginKind::Action,
    ];

    /// `tollgate/tests` in the user's cache folder.
    static CACHE: LazyLock<PathBuf> = LazyLock::new(|| {
        let cache = std::env::var_os("XDG_CACHE_HOME")
            .map(PathBuf::from)
            .or_else(|| Some(std::env::home_dir()?.join(".cache")))
            .unwrap_or_else(std::env::temp_dir);
        let folder = cache.join("tollgate/tests");
        fs::create_dir_all(&folder).unwrap();
        folder
    });

    static TRIAL: LazyLock<Trial> =
        LazyLock::new(|| Trial::caching(CACHE.join("compiled")).unwrap());

    fn root() -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
    }

    /// Past the harness, which keeps what passing tests say to itself.
    fn say(line: &str) {
        writeln!(std::io::stderr(), "languages: {line}").unwrap();
    }

    /// Everything in a folder but outputs, in order.
    fn sources(folder: &Path, into: &mut Vec<u8>) {
        let mut paths: Vec<PathBuf> = fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .collect();
        paths.sort();
        for path in paths {
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            if name == "target" || name.ends_with(".wasm") || name == "golden.json" {
                continue;
            }
            into.extend(name.as_bytes());
            if path.is_dir() {
                sources(&path, into);
            } else {
                into.extend(fs::read(&path).unwrap());
            }
        }
    }

    /// The component of a project, built when anything it is made from changed;
    /// none where its language cannot be built here.
    fn component(project: &Project) -> Option<Vec<u8>> {
        let mut made_from = Vec::new();
        sources(&project.folder, &mut made_from);
        for folder in ["wit/0.1", "sdk", "host/authoring/src/build"] {
            sources(&root().join(folder), &mut made_from);
        }
        let kept = CACHE.join(format!("{}.wasm", Digest::of(&made_from).hex()));
        if let Ok(component) = fs::read(&kept) {
            return Some(component);
        }
        let lang = project.manifest.lang;
        match build(project, &say) {
            Ok(built) => {
                fs::write(&kept, &built.component).unwrap();
                Some(built.component)
            }
            Err(error @ (BuildError::Missing { .. } | BuildError::NotInstalled { .. })) => {
                say(&format!("SKIPPED the tests of plugins in {lang}: {error}"));
                None
            }
            Err(error) => panic!("{lang}: {error}"),
        }
    }

    fn passes(component: &[u8], golden: &Golden) {
        let report = play(&TRIAL, component, golden).unwrap();
        for case in &report.cases {
            assert!(case.passed(), "{case:#?}");
        }
    }

    /// The worked example of a language passes the cases that all four pass, and
    /// imports nothing but our own interfaces.
    fn example(name: &str) {
        let project = Project::open(&root().join("examples/plugins").join(name)).unwrap();
        let Some(component) = component(&project) else {
            return;
        };
        let surface = plugins::trial::surface(&component).unwrap();
        for import in surface.imports {
            assert!(import.starts_with("tollgate:plugin/"), "{import}");
        }
        passes(&component, &Golden::read(&project.golden()).unwrap());
    }

    /// A new project of each kind builds and passes.
    fn new_projects(language: Language) {
        let folder = tempfile::tempdir().unwrap();
        for kind in KINDS {
            let folder = folder.path().join(kind.to_string());
            authoring::new::new(&folder, "fresh", kind, language).unwrap();
            let project = Project::open(&folder).unwrap();
            let Some(component) = component(&project) else {
                return;
            };
            passes(&component, &Golden::read(&project.golden()).unwrap());
        }
    }

    /// The component of `tests/c/numbers.c`.
    fn numbers_in_c() -> Option<Vec<u8>> {
        let folder = tempfile::tempdir().unwrap();
        let manifest = "name = \"numbers\"\nkind = \"transform\"\nlang = \"c\"\n";
        fs::write(folder.path().join("plugin.toml"), manifest).unwrap();
        fs::write(folder.path().join("plugin.c"), include_str!("c/numbers.c")).unwrap();
        component(&Project::open(folder.path()).unwrap())
    }

    fn floats(values: Vec<f64>) -> Batch {
        Batch {
            rows: values.len(),
            blocks: vec![Block {
                fields: 1,
                values: Buffer::F64(values),
                validity: None,
            }],
        }
    }

    fn doubles(tensor: &Tensor) -> &[f64] {
        match &tensor.data {
            TensorData::Fp64(values) => values,
            other => panic!("not f64: {other:?}"),
        }
    }

    /// Distance in units of the last place.
    fn ulps(a: f64, b: f64) -> u64 {
        if a == b || (a.is_nan() && b.is_nan()) {
            return 0;
        }
        a.to_bits().abs_diff(b.to_bits())
    }

    #[test]
    fn numbers_of_the_c_sdk_are_those_of_the_library() {
        let Some(component) = numbers_in_c() else {
            return;
        };
        // Every binary exponent, with digits that follow no pattern.
        let mut bits = 0x9e37_79b9_7f4a_7c15u64;
        let mut values = vec![
            0.0,
            1.0,
            f64::MIN_POSITIVE / 8.0,
            f64::MAX,
            f64::INFINITY,
            -1.0,
        ];
        values.extend((0..20_000u64).map(|i| {
            bits = bits.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(i);
            f64::from_bits(bits >> 12 | (i % 2047) << 52)
        }));
        let numbers = [
            0.1,
            1e-300,
            -123456.789,
            5e22,
            1.7976931348623157e308,
            3.0,
            0.0,
        ];
        let settings = serde_json::json!({ "gi\tven": numbers }).to_string();
        let limits = PluginLimits {
            deadline_ms: 1000,
            ..PluginLimits::default()
        };
        let subject = TRIAL.open(&component).unwrap();
        let mut session = subject.transform(&settings, &limits).outcome.unwrap();
        let tensors = session.apply(&floats(values.clone())).outcome.unwrap();
        for (row, x) in values.iter().enumerate() {
            let off = ulps(doubles(&tensors[0])[row], x.ln());
            assert!(off <= 1, "log {x:e}: {off} units off");
            let power = if *x < 2f64.powi(-200) {
                -1000.0 * x
            } else {
                x - 700.0
            };
            let (got, want) = (doubles(&tensors[1])[row], power.exp());
            // Below the smallest normal number digits are lost.
            let near = (got - want).abs() <= 1e-322 || ulps(got, want) <= 2;
            assert!(near, "exp {power:e}: {got:e}, not {want:e}");
        }
        for (got, want) in doubles(&tensors[2]).iter().zip(numbers) {
            assert!(ulps(*got, want) <= 16, "{got:e}, not {want:e}");
        }
    }

    /// In warm mode one instance answers many calls: memory of a call is taken
    /// back, and later calls use it again.
    #[test]
    fn calls_in_c_leave_no_memory_behind() {
        let Some(component) = numbers_in_c() else {
            return;
        };
        let subject = TRIAL.open(&component).unwrap();
        let limits = PluginLimits::default();
        let made = subject.transform("{\"gi\\tven\":[1]}", &limits);
        let mut session = made.outcome.unwrap();
        let batches = [1, 5000, 64].map(|rows| floats(vec![1.5; rows]));
        let mut after = Vec::new();
        for _ in 0..100 {
            for batch in &batches {
                let tried = session.apply(batch);
                tried.outcome.unwrap();
                after.push(tried.spent.peak_memory);
            }
        }
        assert_eq!(after.last(), after.get(batches.len()), "{after:?}");
    }

    #[test]
    fn an_error_of_the_author_is_quoted() {
        let folder = tempfile::tempdir().unwrap();
        let manifest = "name = \"broken\"\nkind = \"transform\"\nlang = \"c\"\n";
        fs::write(folder.path().join("plugin.toml"), manifest).unwrap();
        let source = "#include \"tollgate.h\"\nint sum(int a) { return a + puts(\"x\"); }\n";
        fs::write(folder.path().join("plugin.c"), source).unwrap();
        match build(&Project::open(folder.path()).unwrap(), &say) {
            Err(BuildError::Failed { said, .. }) => assert!(said.contains("puts"), "{said}"),
            Err(BuildError::Missing { .. } | BuildError::NotInstalled { .. }) => {}
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn the_example_in_rust() {
        example("rust");
    }

    #[test]
    fn the_example_in_javascript() {
        example("js");
    }

    #[test]
    fn the_example_in_python() {
        example("python");
    }

    #[test]
    fn the_example_in_c() {
        example("c");
    }

    #[test]
    fn new_projects_in_rust() {
        new_projects(Language::Rust);
    }

    #[test]
    fn new_projects_in_javascript() {
        new_projects(Language::Js);
    }

    #[test]
    fn new_projects_in_python() {
        new_projects(Language::Python);
    }

    #[test]
    fn new_projects_in_c() {
        new_projects(Language::C);
    }
}
