//! Golden cases of transforms.

use crate::{batch, cases, compare, read, settings};
use tollgate_plugin::{Buffer, Transform};

/// Runs the cases of a file of kind `transform`.
pub fn transform<T: Transform>(text: &str) {
    let file = read(text, "transform");
    for (name, case) in cases(&file) {
        let expect = &case["expect"];
        let outcome = T::configure(&settings(&file, case)).and_then(|transform| {
            let contract = transform.describe();
            let tensors = transform.apply(batch(&contract.inputs, &case["columns"]))?;
            Ok((contract, tensors))
        });
        let (contract, tensors) = match (outcome, expect.get("failure")) {
            (Ok(found), None) => found,
            (Err(found), Some(expected)) => {
                compare::failure(name, expected, &found);
                continue;
            }
            (Err(found), None) => panic!("{name}: {found:?}"),
            (Ok(_), Some(expected)) => panic!("{name}: no failure, expected {expected}"),
        };
        let expected = expect["tensors"].as_array().expect("tensors is a list");
        assert_eq!(tensors.len(), expected.len(), "{name}");
        for ((tensor, output), expected) in tensors.iter().zip(&contract.outputs).zip(expected) {
            assert_eq!(expected["name"], *output.name, "{name}");
            assert_eq!(expected["shape"], serde_json::json!(tensor.shape), "{name}");
            let Buffer::F32s(found) = &tensor.values else {
                panic!("{name}: not 32-bit floats");
            };
            let values = expected["values"].as_array().expect("values is a list");
            assert_eq!(found.len(), values.len(), "{name}");
            for (found, expected) in found.iter().zip(values) {
                let tolerance = compare::tolerance(&file);
                compare::number(name, tolerance, expected, f64::from(*found));
            }
        }
    }
}
