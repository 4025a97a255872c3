//! What is uploaded.

use crate::cli::CliError;
use salus_types::abi::access::RecordClass;
use std::path::Path;

/// A file that becomes a record.
#[derive(Clone, Debug)]
pub(super) struct Sample {
    pub(super) name: String,
    pub(super) class: RecordClass,
    pub(super) content: Vec<u8>,
}

const BUILT_IN: [(&str, &[u8]); 3] = [
    (
        "visit-bundle.fhir.json",
        include_bytes!("../../samples/visit-bundle.fhir.json"),
    ),
    ("ct-slice.dcm", include_bytes!("../../samples/ct-slice.dcm")),
    ("ultrasound.dcm", include_bytes!("../../samples/ultrasound.dcm")),
];

/// Every FHIR and DICOM file of a folder, or the built-in samples.
pub(super) fn load(folder: Option<&Path>) -> Result<Vec<Sample>, CliError> {
    let Some(folder) = folder else {
        return Ok(BUILT_IN
            .map(|(name, content)| sample(name, content.to_vec()))
            .to_vec());
    };
    let mut samples = Vec::new();
    let entries = std::fs::read_dir(folder).map_err(|error| CliError::file(folder, error))?;
    for entry in entries {
        let path = entry.map_err(|error| CliError::file(folder, error))?.path();
        let known = path
            .extension()
            .is_some_and(|ending| ["json", "dcm"].iter().any(|known| ending == *known));
        if !known {
            continue;
        }
        let content = std::fs::read(&path).map_err(|error| CliError::file(&path, error))?;
        let name = path
            .file_name()
            .map(|name| name.to_string_lossy().into_owned())
            .unwrap_or_default();
        samples.push(sample(&name, content));
    }
    samples.sort_by(|a, b| a.name.cmp(&b.name));
    if samples.is_empty() {
        return Err(CliError::Usage(format!(
            "{} holds no .json or .dcm file",
            folder.display()
        )));
    }
    Ok(samples)
}

fn sample(name: &str, content: Vec<u8>) -> Sample {
    let class = if name.ends_with(".dcm") {
        RecordClass::Imaging
    } else {
        RecordClass::Clinical
    };
    Sample {
        name: name.into(),
        class,
        content,
    }
}
