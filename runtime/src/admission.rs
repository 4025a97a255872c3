//! Which modules may become contracts: the same answer on every node, from the bytes alone.

use crate::EntryPoint;
use salus_abi::host;
use wasmparser::{
    Data, DataKind, Element, ElementItems, ElementKind, ExternalKind, FuncType, Operator, Payload, TypeRef,
    ValType, WasmFeatures,
};

/// Structural limits. They bound the time and memory of compiling a module, so that no local clock has to.
pub mod limit {
    macro_rules! limits {
        ($($(#[$doc:meta])+ $name:ident: $type:ty = $value:expr;)+) => {
            $($(#[$doc])+ pub const $name: $type = $value;)+
            /// Every limit by its name.
            pub const TABLE: &[(&str, u64)] = &[$((stringify!($name), $name as u64),)+];
        };
    }

    limits! {
        /// Bytes of a module.
        MODULE_BYTES: usize = 256 << 10;
        /// Function types.
        TYPES: usize = 512;
        /// Parameters of a function.
        PARAMETERS: usize = 32;
        /// Results of a function.
        RESULTS: usize = 8;
        /// Imports; there are 21 to choose from.
        IMPORTS: usize = 64;
        /// Functions.
        FUNCTIONS: usize = 4_096;
        /// Globals.
        GLOBALS: usize = 256;
        /// Exports.
        EXPORTS: usize = 64;
        /// Entries of the table.
        TABLE_ENTRIES: usize = 4_096;
        /// Data segments.
        DATA_SEGMENTS: usize = 1_024;
        /// Element segments.
        ELEMENT_SEGMENTS: usize = 64;
        /// Entries of all element segments together.
        ELEMENT_ENTRIES: usize = 8_192;
        /// Locals of a function, parameters included.
        LOCALS: usize = 1_024;
        /// Locals of all functions together.
        LOCALS_TOTAL: usize = 65_536;
        /// Bytes of a function's body.
        BODY_BYTES: usize = 96 << 10;
        /// Instructions of a function.
        OPERATORS: usize = 32_768;
        /// Blocks within blocks.
        NESTING: usize = 256;
        /// Targets of one `br_table`.
        BRANCH_TARGETS: usize = 4_096;
        /// Pages of memory, of 64 KiB each; also how far it can grow.
        MEMORY_PAGES: u64 = 64;
        /// Units of stack height of one run, with all contracts it calls: a frame takes as many as it has locals, operands
        /// and instructions.
        STACK_UNITS: u32 = 65_536;
    }
}

/// Why a module cannot become a contract. [`Self::code`] is stable; texts may improve.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AdmissionError {
    /// A001
    #[error("not a valid module: {message} (at byte {offset})")]
    Malformed {
        /// What is wrong.
        message: String,
        /// Where.
        offset: usize,
    },
    /// A002
    #[error(
        "uses floating-point numbers, which contracts may not: use integers with a fixed scale ({message}, at byte {offset})"
    )]
    Float {
        /// What was found.
        message: String,
        /// Where.
        offset: usize,
    },
    /// A003
    #[error("uses a WebAssembly feature that contracts may not: {message} (at byte {offset})")]
    Feature {
        /// What was found.
        message: String,
        /// Where.
        offset: usize,
    },
    /// A004
    #[error("{count} {what}, where at most {max} are allowed")]
    TooMany {
        /// What there is too much of.
        what: &'static str,
        /// How many.
        count: u64,
        /// How many there may be.
        max: u64,
    },
    /// A005
    #[error("has a start function: move its work to `salus_instantiate`")]
    StartFunction,
    /// A006
    #[error(
        "a data or element segment does not fit the initial memory or table, or starts at a place that is not constant"
    )]
    Segment,
    /// A010
    #[error("imports `{module}.{name}`, which does not exist: all imports are functions of `salus0`")]
    UnknownImport {
        /// Module of the import.
        module: String,
        /// Name of the import.
        name: String,
    },
    /// A011
    #[error("imports `{name}` with another type than the host's: build against the current `salus-abi`")]
    ImportType {
        /// Name of the import.
        name: String,
    },
    /// A020
    #[error("does not export `{name}`")]
    MissingExport {
        /// The export that every contract has.
        name: &'static str,
    },
    /// A021
    #[error("exports `{name}` with another kind or type than the interface's")]
    ExportType {
        /// Name of the export.
        name: String,
    },
    /// A022
    #[error(
        "exports `{name}`: names that begin with `salus_` belong to the interface, and it has no such one"
    )]
    ReservedExport {
        /// Name of the export.
        name: String,
    },
    /// A023
    #[error(
        "exports none of the entry points `salus_instantiate`, `salus_execute`, `salus_query`, `salus_decide`, `salus_migrate`"
    )]
    NoEntryPoint,
    /// A030
    #[error("the compiler refuses it: {message}")]
    Compiler {
        /// What the compiler says.
        message: String,
    },
}

impl AdmissionError {
    /// Every code there is.
    pub const CODES: [&'static str; 13] = [
        "A001", "A002", "A003", "A004", "A005", "A006", "A010", "A011", "A020", "A021", "A022", "A023",
        "A030",
    ];

    /// The stable code: `A` and three digits.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Malformed { .. } => "A001",
            Self::Float { .. } => "A002",
            Self::Feature { .. } => "A003",
            Self::TooMany { .. } => "A004",
            Self::StartFunction => "A005",
            Self::Segment => "A006",
            Self::UnknownImport { .. } => "A010",
            Self::ImportType { .. } => "A011",
            Self::MissingExport { .. } => "A020",
            Self::ExportType { .. } => "A021",
            Self::ReservedExport { .. } => "A022",
            Self::NoEntryPoint => "A023",
            Self::Compiler { .. } => "A030",
        }
    }
}

impl From<wasmparser::Error> for AdmissionError {
    fn from(error: wasmparser::Error) -> Self {
        let (message, offset) = (error.message().to_owned(), error.offset());
        match error.missing_wasm_feature() {
            Some(WasmFeatures::FLOATS) => Self::Float { message, offset },
            Some(_) => Self::Feature { message, offset },
            // The validator reports float types and operators without naming the feature.
            None if message.contains("floating-point") => Self::Float { message, offset },
            None => Self::Malformed { message, offset },
        }
    }
}

/// The allow-list. Integers and what compilers emit for them; nothing that is only on by default.
///
/// The order matters: `REFERENCE_TYPES`, which is off, contains the bit of `CALL_INDIRECT_OVERLONG`, which linkers need.
pub(crate) fn features() -> WasmFeatures {
    let mut features = WasmFeatures::empty();
    for allowed in [
        WasmFeatures::MUTABLE_GLOBAL,
        WasmFeatures::SIGN_EXTENSION,
        WasmFeatures::MULTI_VALUE,
        WasmFeatures::BULK_MEMORY,
        WasmFeatures::CALL_INDIRECT_OVERLONG,
    ] {
        features.insert(allowed);
    }
    features
}

pub(crate) fn at_most(what: &'static str, count: usize, max: usize) -> Result<(), AdmissionError> {
    if count <= max {
        return Ok(());
    }
    Err(AdmissionError::TooMany {
        what,
        count: count as u64,
        max: max as u64,
    })
}

/// What admission learns of a module while it reads it.
#[derive(Debug, Default)]
pub(crate) struct Survey {
    types: Vec<FuncType>,
    /// Type of every function, imported ones first.
    functions: Vec<u32>,
    memory_pages: u64,
    table_entries: u64,
    segment_bytes: usize,
    element_entries: usize,
    entry_points: Vec<EntryPoint>,
    exports: Vec<String>,
}

impl Survey {
    /// Checks a section's own rules, after the validator has accepted it.
    pub(crate) fn section(&mut self, payload: &Payload<'_>) -> Result<(), AdmissionError> {
        match payload {
            Payload::TypeSection(section) => {
                at_most("types", section.count() as usize, limit::TYPES)?;
                for ty in section.clone().into_iter_err_on_gc_types() {
                    let ty = ty?;
                    at_most("parameters", ty.params().len(), limit::PARAMETERS)?;
                    at_most("results", ty.results().len(), limit::RESULTS)?;
                    self.types.push(ty);
                }
            }
            Payload::ImportSection(section) => {
                at_most("imports", section.count() as usize, limit::IMPORTS)?;
                for import in section.clone().into_imports() {
                    let import = import?;
                    self.import(import.module, import.name, import.ty)?;
                }
            }
            Payload::FunctionSection(section) => {
                at_most("functions", section.count() as usize, limit::FUNCTIONS)?;
                for ty in section.clone() {
                    self.functions.push(ty?);
                }
            }
            Payload::TableSection(section) => {
                at_most("tables", section.count() as usize, 1)?;
                for table in section.clone() {
                    self.table_entries = table?.ty.initial;
                    let entries = usize::try_from(self.table_entries).unwrap_or(usize::MAX);
                    at_most("table entries", entries, limit::TABLE_ENTRIES)?;
                }
            }
            Payload::MemorySection(section) => {
                for memory in section.clone() {
                    self.memory_pages = memory?.initial;
                }
                if self.memory_pages > limit::MEMORY_PAGES {
                    return Err(AdmissionError::TooMany {
                        what: "pages of memory",
                        count: self.memory_pages,
                        max: limit::MEMORY_PAGES,
                    });
                }
            }
            Payload::GlobalSection(section) => {
                at_most("globals", section.count() as usize, limit::GLOBALS)?;
            }
            Payload::ExportSection(section) => {
                at_most("exports", section.count() as usize, limit::EXPORTS)?;
                for export in section.clone() {
                    let export = export?;
                    self.export(export.name, export.kind, export.index)?;
                }
            }
            Payload::StartSection { .. } => return Err(AdmissionError::StartFunction),
            Payload::ElementSection(section) => {
                at_most(
                    "element segments",
                    section.count() as usize,
                    limit::ELEMENT_SEGMENTS,
                )?;
                for element in section.clone() {
                    self.element(element?)?;
                }
            }
            Payload::DataSection(section) => {
                at_most("data segments", section.count() as usize, limit::DATA_SEGMENTS)?;
                for data in section.clone() {
                    self.data(&data?)?;
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn import(&mut self, module: &str, name: &str, ty: TypeRef) -> Result<(), AdmissionError> {
        let unknown = || AdmissionError::UnknownImport {
            module: module.to_owned(),
            name: name.to_owned(),
        };
        let (TypeRef::Func(index), host::IMPORT_MODULE) = (ty, module) else {
            return Err(unknown());
        };
        let expected = import_type(name).ok_or_else(unknown)?;
        if self.types.get(index as usize) != Some(&expected) {
            return Err(AdmissionError::ImportType {
                name: name.to_owned(),
            });
        }
        self.functions.push(index);
        Ok(())
    }

    fn export(&mut self, name: &str, kind: ExternalKind, index: u32) -> Result<(), AdmissionError> {
        let entry_point = EntryPoint::ALL.into_iter().find(|entry| entry.export() == name);
        let expected = match (name, entry_point) {
            (host::EXPORT_MEMORY, _) => {
                self.exports.push(name.to_owned());
                return match kind {
                    ExternalKind::Memory => Ok(()),
                    _ => Err(AdmissionError::ExportType {
                        name: name.to_owned(),
                    }),
                };
            }
            (host::EXPORT_MARKER, _) => FuncType::new([], []),
            (host::EXPORT_ALLOC, _) => FuncType::new([ValType::I32], [ValType::I32]),
            (_, Some(_)) => FuncType::new([ValType::I32, ValType::I32], [ValType::I64]),
            (other, None) if other.starts_with("salus_") => {
                return Err(AdmissionError::ReservedExport {
                    name: name.to_owned(),
                });
            }
            _ => return Ok(()),
        };
        let ty = self
            .functions
            .get(index as usize)
            .and_then(|ty| self.types.get(*ty as usize));
        if kind != ExternalKind::Func || ty != Some(&expected) {
            return Err(AdmissionError::ExportType {
                name: name.to_owned(),
            });
        }
        self.entry_points.extend(entry_point);
        self.exports.push(name.to_owned());
        Ok(())
    }

    fn data(&mut self, data: &Data<'_>) -> Result<(), AdmissionError> {
        self.segment_bytes = self.segment_bytes.saturating_add(data.data.len());
        let DataKind::Active { offset_expr, .. } = &data.kind else {
            return Ok(());
        };
        let bytes = self.memory_pages.saturating_mul(64 << 10);
        fits(constant(offset_expr)?, data.data.len() as u64, bytes)
    }

    fn element(&mut self, element: Element<'_>) -> Result<(), AdmissionError> {
        let count = match &element.items {
            ElementItems::Functions(items) => items.count(),
            ElementItems::Expressions(_, items) => items.count(),
        };
        self.segment_bytes = self
            .segment_bytes
            .saturating_add((count as usize).saturating_mul(8));
        self.element_entries = self.element_entries.saturating_add(count as usize);
        at_most(
            "entries of element segments",
            self.element_entries,
            limit::ELEMENT_ENTRIES,
        )?;
        let ElementKind::Active { offset_expr, .. } = &element.kind else {
            return Ok(());
        };
        fits(constant(offset_expr)?, u64::from(count), self.table_entries)
    }

    /// The parameters and results of a function defined in the module, by its position among those.
    pub(crate) fn function_type(&self, function: u32) -> Option<(u32, &FuncType)> {
        let index = *self.functions.get(function as usize)?;
        Some((index, self.types.get(index as usize)?))
    }

    /// Bytes that instantiation copies.
    pub(crate) const fn segment_bytes(&self) -> usize {
        self.segment_bytes
    }

    /// Checks that the interface is complete, and says which entry points there are.
    pub(crate) fn finish(self) -> Result<Vec<EntryPoint>, AdmissionError> {
        for name in [host::EXPORT_MARKER, host::EXPORT_MEMORY, host::EXPORT_ALLOC] {
            if !self.exports.iter().any(|export| export == name) {
                return Err(AdmissionError::MissingExport { name });
            }
        }
        if self.entry_points.is_empty() {
            return Err(AdmissionError::NoEntryPoint);
        }
        Ok(self.entry_points)
    }
}

/// The value of an offset expression. Only a plain constant can be checked here, and imported globals do not exist.
fn constant(expression: &wasmparser::ConstExpr<'_>) -> Result<u64, AdmissionError> {
    let mut operators = expression.get_operators_reader();
    match operators.read()? {
        Operator::I32Const { value } => Ok(u64::from(value.cast_unsigned())),
        _ => Err(AdmissionError::Segment),
    }
}

fn fits(start: u64, count: u64, size: u64) -> Result<(), AdmissionError> {
    match start.checked_add(count) {
        Some(end) if end <= size => Ok(()),
        _ => Err(AdmissionError::Segment),
    }
}

/// The type of an import of the interface.
fn import_type(name: &str) -> Option<FuncType> {
    const fn values<const N: usize>() -> [ValType; N] {
        [ValType::I32; N]
    }
    let ty = match name {
        "state_get" => FuncType::new(values::<4>(), [ValType::I32]),
        "state_set" => FuncType::new(values::<4>(), []),
        "state_del" => FuncType::new(values::<2>(), []),
        "state_scan" => FuncType::new(values::<6>(), [ValType::I32]),
        "caller" | "calling_contract" | "self_id" | "member_count" => FuncType::new([], [ValType::I32]),
        "chain_id" => FuncType::new(values::<1>(), []),
        "height" | "time_ms" => FuncType::new([], [ValType::I64]),
        "has_role" => FuncType::new(values::<2>(), [ValType::I32]),
        "organisation_of" => FuncType::new(values::<1>(), [ValType::I32]),
        "attribute" => FuncType::new(values::<4>(), [ValType::I32]),
        "member_key" => FuncType::new(values::<2>(), [ValType::I32]),
        "event_emit" | "debug" => FuncType::new(values::<2>(), []),
        "abort" => FuncType::new(values::<1>(), []),
        "call_read" => FuncType::new(values::<6>(), [ValType::I32]),
        "ed25519_verify" => FuncType::new(values::<4>(), [ValType::I32]),
        "blake3" => FuncType::new(values::<3>(), []),
        _ => return None,
    };
    Some(ty)
}
