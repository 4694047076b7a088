//! Inference answers: one buffer, written once.

use crate::{
    edge::error::Failure,
    inference::{
        elements,
        face::VariantFace,
        oip::{binary, decode::InferRequest},
    },
};
use axum::{body::Body, response::Response};
use domain::{error::ErrorKind, tensor::Tensor};
use http::{HeaderName, HeaderValue, header};
use std::io::Write as _;

pub(crate) static HEADER_LENGTH: HeaderName =
    HeaderName::from_static("inference-header-content-length");

/// The answer to `request`, in JSON with binary tensors behind it where asked.
pub(crate) fn response(
    face: &VariantFace,
    request: &InferRequest<'_>,
    outputs: &[Tensor],
) -> Result<Response, Failure> {
    let mut body = Vec::with_capacity(512);
    body.extend_from_slice(&face.oip_head);
    if let Some(id) = request.id {
        body.extend_from_slice(b",\"id\":");
        body.extend_from_slice(id.as_bytes());
    }
    body.extend_from_slice(b",\"parameters\":{");
    body.extend_from_slice(&face.oip_parameters);
    for (name, value) in &request.parameters {
        // What we say about ourselves cannot be overwritten by an echo.
        if !name.starts_with("tollgate_") {
            body.push(b',');
            let _ok = serde_json::to_writer(&mut body, name);
            body.push(b':');
            body.extend_from_slice(value.as_bytes());
        }
    }
    body.extend_from_slice(b"},\"outputs\":[");
    let mut blobs = Vec::new();
    if request.outputs.is_empty() {
        for (index, tensor) in outputs.iter().enumerate() {
            let binary = request.binary_output.then_some(&mut blobs);
            output(&mut body, tensor, index == 0, binary)?;
        }
    }
    for (index, wanted) in request.outputs.iter().enumerate() {
        let found = outputs.iter().find(|tensor| *tensor.name == *wanted.name);
        let tensor = found.ok_or_else(|| unknown(&wanted.name, outputs))?;
        let binary = wanted.binary.unwrap_or(request.binary_output);
        output(&mut body, tensor, index == 0, binary.then_some(&mut blobs))?;
    }
    body.extend_from_slice(b"]}");
    let json_len = body.len();
    for tensor in &blobs {
        binary::write(&mut body, &tensor.data);
    }
    let mut response = Response::new(Body::from(body));
    *response.headers_mut() = face.headers.clone();
    let headers = response.headers_mut();
    if blobs.is_empty() {
        headers.insert(
            header::CONTENT_TYPE,
            HeaderValue::from_static("application/json"),
        );
    } else {
        headers.insert(
            header::CONTENT_TYPE,
            HeaderValue::from_static("application/octet-stream"),
        );
        headers.insert(&HEADER_LENGTH, HeaderValue::from(json_len));
    }
    Ok(response)
}

/// One output's JSON. With `blobs`, its elements go there instead.
fn output<'a>(
    body: &mut Vec<u8>,
    tensor: &'a Tensor,
    first: bool,
    blobs: Option<&mut Vec<&'a Tensor>>,
) -> Result<(), Failure> {
    if !first {
        body.push(b',');
    }
    // Writing to a vector cannot fail.
    body.extend_from_slice(b"{\"name\":");
    let _ok = serde_json::to_writer(&mut *body, &*tensor.name);
    let _ok = write!(
        body,
        ",\"datatype\":\"{}\",\"shape\":",
        tensor.datatype().as_str()
    );
    let _ok = serde_json::to_writer(&mut *body, &tensor.shape);
    if let Some(blobs) = blobs {
        let size = binary::size(&tensor.data).ok_or_else(|| {
            Failure::kind(
                ErrorKind::Internal,
                format!("output {:?} is too large", tensor.name),
            )
        })?;
        let _ok = write!(body, ",\"parameters\":{{\"binary_data_size\":{size}}}}}");
        blobs.push(tensor);
    } else {
        body.extend_from_slice(b",\"data\":[");
        elements::write_range(body, &tensor.data, 0..tensor.data.len())
            .map_err(|error| Failure::invalid(format!("output {:?}: {error}", tensor.name)))?;
        body.extend_from_slice(b"]}");
    }
    Ok(())
}

fn unknown(name: &str, outputs: &[Tensor]) -> Failure {
    let names: Vec<&str> = outputs.iter().map(|tensor| &*tensor.name).collect();
    let name: String = name.chars().take(128).collect();
    Failure::invalid(format!(
        "output {name:?} is not known: the model gives {}",
        names.join(", ")
    ))
}
