//! Files made to break the loader: one per limit, then a bounded, seeded corpus
//! of damaged real files.

use crate::given::{ask, fixture, json};
use domain::{
    model::Format,
    ports::engine::{ModelLoadError, ModelLoader, ModelSource},
};
use inference::Engine;
use serde_json::{Value, json};
use std::{path::Path, sync::Arc};

type Loaded = Result<Arc<dyn domain::ports::engine::Model>, ModelLoadError>;

fn load_bytes(bytes: &[u8]) -> Loaded {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), bytes).unwrap();
    load_path(file.path())
}

fn load_path(path: &Path) -> Loaded {
    let source = ModelSource {
        path: path.to_owned(),
        architecture: None,
    };
    Engine::default().load(&source)
}

/// The message of a file that must be refused as malformed.
fn malformed(bytes: &[u8]) -> String {
    match load_bytes(bytes).unwrap_err() {
        ModelLoadError::Malformed { message, .. } => {
            assert!(!message.contains("defect"), "{message}");
            assert!(message.chars().count() <= 400, "{message}");
            message
        }
        other => panic!("{other}"),
    }
}

/// The binary XGBoost fixture with one place changed.
fn xgboost(pointer: &str, value: Value) -> Vec<u8> {
    let mut model = json("trees/xgb_binary.json");
    *model.pointer_mut(pointer).unwrap() = value;
    serde_json::to_vec(&model).unwrap()
}

const TREE: &str = "/learner/gradient_booster/model/trees/0";

#[test]
fn xgboost_models_that_break_a_rule_are_refused_with_the_place() {
    let tree = |field: &str, value: Value| malformed(&xgboost(&format!("{TREE}/{field}"), value));
    let learner =
        |field: &str, value: Value| malformed(&xgboost(&format!("/learner/{field}"), value));
    assert!(tree("left_children/0", json!(0)).contains("reached twice"));
    assert!(tree("right_children/1", json!(0)).contains("reached twice"));
    assert!(tree("left_children/0", json!(10_000)).contains("does not exist"));
    assert!(tree("right_children/0", json!(-7)).contains("child -7"));
    assert!(tree("left_children/0", json!(1e300)).contains("expected i32"));
    assert!(tree("split_indices/0", json!(6)).contains("feature 6 of 6"));
    assert!(tree("split_indices", json!([])).contains("split_indices has 0 entries"));
    assert!(tree("split_type/0", json!(1)).contains("split_type"));
    assert!(tree("categories_nodes", json!([0])).contains("must fit"));
    assert!(learner("learner_model_param/base_score", json!("abc")).contains("base_score"));
    assert!(learner("learner_model_param/base_score", json!("[1E0]")).contains("margin"));
    assert!(
        learner("learner_model_param/base_score", json!("[1E-1,2E-1]")).contains("2 base scores")
    );
    assert!(
        learner("learner_model_param/num_feature", json!("99999999999")).contains("num_feature")
    );
    assert!(learner("learner_model_param/num_class", json!("16000000")).contains("outputs"));
    assert!(learner("feature_names", json!(["a"])).contains("1 feature_names for 6"));
    assert!(learner("gradient_booster/model/tree_info", json!([0])).contains("tree_info"));
    assert!(learner("gradient_booster/model/tree_info/0", json!(1)).contains("output 1 of 1"));
}

#[test]
fn category_sets_cannot_be_made_to_fill_the_memory() {
    let mut model = json("trees/xgb_category_sets.json");
    let trees = model
        .pointer_mut("/learner/gradient_booster/model/trees")
        .unwrap();
    let tree = trees
        .as_array()
        .unwrap()
        .iter()
        .find(|tree| tree["categories_nodes"] != json!([]));
    let mut tree = tree.unwrap().clone();
    let at = tree["categories_segments"][0].as_u64().unwrap() as usize;
    tree["categories"][at] = json!((1 << 24) - 1);
    *trees = json!(vec![tree; 100]);
    let info = "/learner/gradient_booster/model/tree_info";
    *model.pointer_mut(info).unwrap() = json!(vec![0; 100]);
    assert!(malformed(&serde_json::to_vec(&model).unwrap()).contains("too large"));
    let bad = |category: i64| {
        let mut model = json("trees/xgb_category_sets.json");
        let trees = model
            .pointer_mut("/learner/gradient_booster/model/trees")
            .unwrap();
        let trees = trees.as_array_mut().unwrap();
        let tree = trees
            .iter_mut()
            .find(|tree| tree["categories_nodes"] != json!([]));
        tree.unwrap()["categories"][0] = json!(category);
        malformed(&serde_json::to_vec(&model).unwrap())
    };
    assert!(bad(-1).contains("category -1"));
    assert!(bad(1 << 24).contains("category 16777216"));
}

#[test]
fn everything_unsupported_is_named_in_one_error() {
    let mut model = json("trees/xgb_binary.json");
    model["learner"]["objective"]["name"] = json!("binary:magic");
    *model
        .pointer_mut(&format!("{TREE}/tree_param/size_leaf_vector"))
        .unwrap() = json!("3");
    model["learner"]["gradient_booster"]["name"] = json!("gbwood");
    let error = load_bytes(&serde_json::to_vec(&model).unwrap()).unwrap_err();
    let ModelLoadError::Unsupported {
        format: Format::XgboostJson,
        what,
    } = error
    else {
        panic!("{error}")
    };
    assert_eq!(
        what,
        [
            "booster \"gbwood\"",
            "objective \"binary:magic\"",
            "trees with vector leaves (multi_strategy=multi_output_tree)"
        ]
    );
    let text = std::fs::read_to_string(fixture("trees/lgb_linear_trees.txt")).unwrap();
    let text = text
        .replace("objective=regression", "objective=magic")
        .replace("=v4", "=v9");
    let error = load_bytes(text.as_bytes()).unwrap_err();
    let ModelLoadError::Unsupported {
        format: Format::Lightgbm,
        what,
    } = error
    else {
        panic!("{error}")
    };
    assert_eq!(what.len(), 3);
}

#[test]
fn nesting_is_bounded_in_both_encodings() {
    for nest in ["[", "{\"a\":"] {
        for place in ["other", "learner"] {
            let deep = format!("{{\"{place}\":{}", nest.repeat(1_000_000));
            assert!(malformed(deep.as_bytes()).contains("line 1 column"));
        }
    }
    for nest in ["[", "{U\u{1}a"] {
        let mut bytes = b"{U\x05other".to_vec();
        bytes.extend(nest.repeat(1_000_000).bytes());
        assert!(malformed(&bytes).contains("nested deeper"));
    }
}

#[test]
fn ubjson_counts_cannot_ask_for_more_than_the_file_holds() {
    let starting = |rest: &[u8]| {
        let mut bytes = b"{U\x05other".to_vec();
        bytes.extend(rest);
        malformed(&bytes)
    };
    let huge = 0x7fff_ffff_ffff_ff00_i64.to_be_bytes();
    assert!(starting(&[b"SL".as_slice(), &huge].concat()).contains("length"));
    assert!(starting(&[b"[$l#L".as_slice(), &huge].concat()).contains("length"));
    assert!(starting(&[b"[#L".as_slice(), &huge].concat()).contains("length"));
    assert!(starting(b"[#i\xff").contains("length -1"));
    assert!(starting(&[b"[$T#L".as_slice(), &huge].concat()).contains("empty elements"));
    assert!(starting(b"[$l").contains("without a count"));
    assert!(starting(b"H").contains("unlimited precision"));
    assert!(starting(b"SU\x01\xff").contains("UTF-8"));
    assert!(starting(b"").contains("ends too early"));
    assert!(starting(b"?").contains("marker 0x3f"));
    let mut trailing = std::fs::read(fixture("trees/xgb_gamma.ubj")).unwrap();
    trailing.push(b'}');
    assert!(malformed(&trailing).contains("1 bytes follow"));
}

#[test]
fn lightgbm_models_that_break_a_rule_are_refused_with_the_place() {
    let text = std::fs::read_to_string(fixture("trees/lgb_categories.txt")).unwrap();
    let changed = |key: &str, value: &str| {
        let mark = format!("\n{key}=");
        let (before, after) = text.split_once(&mark).unwrap();
        let (_, after) = after.split_once('\n').unwrap();
        malformed(format!("{before}{mark}{value}\n{after}").as_bytes())
    };
    assert!(changed("num_leaves", "0").contains("no leaves"));
    assert!(changed("num_leaves", "99999999999999999999").contains("num_leaves is"));
    assert!(changed("num_leaves", "4000000000").contains("entries, expected"));
    assert!(changed("left_child", "0 5 3 -1 -3 -2").contains("reached twice"));
    assert!(changed("left_child", "-9223372036854775808 5 3 -1 -3 -2").contains("child"));
    assert!(changed("threshold", "7 -0.2 0.4 -1.1 0.9 1").contains("set 7 does not exist"));
    assert!(changed("threshold", "1 -0.2 0.4 -1.1 0.9 1").contains("used twice"));
    assert!(changed("threshold", "nan -0.2 0.4 -1.1 0.9 1").contains("set NaN"));
    assert!(changed("threshold", "0 nan 0.4 -1.1 0.9 1").contains("not a number"));
    assert!(changed("cat_boundaries", "0 5 4").contains("ascend"));
    assert!(
        changed(
            "cat_boundaries",
            "0 18446744073709551615 18446744073709551615"
        )
        .contains("cat_threshold")
    );
    assert!(changed("decision_type", "9 12 10 8 10 9").contains("missing type 3"));
    assert!(changed("split_feature", "1 0 0 0 0 6").contains("feature 6 of 6"));
    assert!(changed("leaf_value", "1 2 3 4 5 6 inf").contains("not finite"));
    assert!(changed("max_feature_idx", "18446744073709551615").contains("too large"));
    assert!(changed("num_tree_per_iteration", "4").contains("rounds of 4"));
    assert!(changed("num_tree_per_iteration", "0").contains("rounds of 0"));
    assert!(changed("Tree", "5").contains("out of order"));
    assert!(malformed(text.replace("end of trees", "").as_bytes()).contains("end of trees"));
    assert!(malformed(b"tree\nversion=v4\xff\n").contains("utf-8"));
}

#[test]
fn files_of_no_format_are_refused_with_a_hint() {
    let unknown = |bytes: &[u8]| match load_bytes(bytes).unwrap_err() {
        ModelLoadError::UnknownFormat(hint) => hint,
        other => panic!("{other}"),
    };
    assert!(unknown(b"").contains("empty"));
    assert!(unknown(b"\x80\x04\x95").contains("pickle"));
    assert!(unknown(b"PK\x03\x04").contains("zip"));
    assert!(unknown(b"binf\x00").contains("old binary"));
    assert!(unknown(b"\x89HDF\r\n").contains("Keras"));
    assert!(unknown(b"{broken").contains("JSON"));
    assert!(unknown(b"hello").contains("none of them"));
    let missing = load_path(Path::new("/nonexistent/model")).unwrap_err();
    assert!(missing.to_string().contains("cannot open"));
    assert!(
        load_path(Path::new("/"))
            .unwrap_err()
            .to_string()
            .contains("cannot read")
    );
}

#[test]
fn a_file_above_the_limit_is_not_read() {
    let source = ModelSource {
        path: fixture("trees/xgb_gamma.ubj"),
        architecture: None,
    };
    let size = std::fs::metadata(&source.path).unwrap().len();
    assert!(Engine::with_limit(size).load(&source).is_ok());
    let error = Engine::with_limit(size - 1).load(&source).unwrap_err();
    assert!(error.to_string().contains("larger than the limit"));
    // An endless file ends at the limit, too.
    let endless = ModelSource {
        path: "/dev/zero".into(),
        architecture: None,
    };
    assert!(Engine::with_limit(1 << 20).load(&endless).is_err());
}

/// xorshift64*, so that every run damages the files in the same way.
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) as usize % bound.max(1)
    }

    fn damage(&mut self, bytes: &mut Vec<u8>) {
        let numbers = [
            "-1",
            "0",
            "1e999",
            "-0.5",
            "4294967296",
            "99999999999999999999",
            "nan",
            "",
            "[]",
            "{}",
        ];
        match self.below(6) {
            0 => bytes.truncate(self.below(bytes.len())),
            1 => {
                let at = self.below(bytes.len());
                bytes[at] ^= 1 << self.below(8);
            }
            2 => {
                let at = self.below(bytes.len());
                bytes[at] = self.below(256) as u8;
            }
            3 => {
                let (from, to) = (self.below(bytes.len()), self.below(bytes.len()));
                let piece = bytes[from..(from + self.below(64)).min(bytes.len())].to_vec();
                bytes.splice(to..to, piece);
            }
            4 => {
                let from = self.below(bytes.len());
                let to = (from + 1 + self.below(32)).min(bytes.len());
                bytes.drain(from..to);
            }
            _ => {
                // Replaces the number that stands at or after a random place.
                let at = self.below(bytes.len());
                let digit = |byte: &u8| byte.is_ascii_digit() || b"+-.eE".contains(byte);
                let Some(start) = bytes[at..].iter().position(digit).map(|skip| at + skip) else {
                    return;
                };
                let length = bytes[start..].iter().take_while(|byte| digit(byte)).count();
                let number = numbers[self.below(numbers.len())];
                bytes.splice(start..start + length, number.bytes());
            }
        }
    }
}

#[test]
fn damaged_files_load_or_are_refused_and_never_bring_the_loader_down() {
    let mut dice = Dice(0x0070_6c67_6174_6521);
    let mut loaded = 0;
    let mut refused = 0;
    let mut names: Vec<_> = std::fs::read_dir(fixture("trees"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| !path.to_string_lossy().ends_with(".expected.json"))
        .collect();
    names.sort();
    let file = tempfile::NamedTempFile::new().unwrap();
    for path in names {
        let original = std::fs::read(&path).unwrap();
        for _ in 0..60 {
            let mut bytes = original.clone();
            for _ in 0..=dice.below(3) {
                if !bytes.is_empty() {
                    dice.damage(&mut bytes);
                }
            }
            std::fs::write(file.path(), &bytes).unwrap();
            match load_path(file.path()) {
                Ok(model) => {
                    let features = model.signature().inputs[0].shape[1] as usize;
                    let row: Vec<f64> = (0..features).map(|i| i as f64 - 2.0).collect();
                    ask(&*model, &row);
                    loaded += 1;
                }
                Err(error) => {
                    assert!(!error.to_string().contains("defect"), "{path:?}: {error}");
                    refused += 1;
                }
            }
        }
    }
    println!("{loaded} loaded, {refused} refused");
    assert!(
        loaded > 100 && refused > 500,
        "{loaded} loaded, {refused} refused"
    );
}
