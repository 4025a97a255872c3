//! Validates a module and rewrites it so that it counts its own stack height.
//!
//! wasmtime bounds the native stack, but where that bound trips depends on the compiler's settings and version. So each
//! function is given a cost in units, as many as it has locals, operands and instructions, and a global counts what is in
//! use:
//!
//! ```text
//! (func ...                      (func ...
//!   body                           height += cost; if height > limit { unreachable }
//! )                                block (result ...)  body, with `return` as a branch out  end
//!                                  height -= cost)
//! ```
//!
//! Instructions count because the compiler may hoist one value each into the native frame. A branch to the function's
//! own label lands at the end of the added block without a change of its depth. After a trap the global stays high, which
//! tells an exhausted stack from the contract's own `unreachable`.

use crate::EntryPoint;
use crate::admission::{AdmissionError, Survey, at_most, features, limit};
use wasm_encoder::reencode::{self, Reencode, RoundtripReencoder};
use wasm_encoder::{
    BlockType, CodeSection, ConstExpr, DataCountSection, DataSection, ElementSection, ExportKind,
    ExportSection, Function, FunctionSection, GlobalSection, GlobalType, ImportSection, Instruction,
    MemorySection, MemoryType, Module, TableSection, TypeSection, ValType,
};
use wasmparser::{
    FuncToValidate, FuncValidator, FuncValidatorAllocations, FunctionBody, Operator, Parser, Payload,
    ValidPayload, Validator, ValidatorResources,
};

/// Name under which the rewritten module exports its stack height. Guests cannot export it: the prefix is reserved.
pub(crate) const EXPORT_STACK_HEIGHT: &str = "salus_stack_height";

/// A module that was admitted and rewritten.
#[derive(Debug)]
pub(crate) struct Instrumented {
    pub(crate) wasm: Vec<u8>,
    pub(crate) entry_points: Vec<EntryPoint>,
    /// Bytes that instantiation copies.
    pub(crate) segment_bytes: usize,
}

/// Checks a module and rewrites it.
pub(crate) fn instrument(wasm: &[u8]) -> Result<Instrumented, AdmissionError> {
    at_most("bytes", wasm.len(), limit::MODULE_BYTES)?;
    let mut validator = Validator::new_with_features(features());
    let mut parser = Parser::new(0);
    parser.set_features(features());
    let mut rewriter = Rewriter::default();
    for payload in parser.parse_all(wasm) {
        let payload = payload?;
        let valid = validator.payload(&payload)?;
        rewriter.survey.section(&payload)?;
        match valid {
            ValidPayload::Func(function, body) => rewriter.function(function, &body)?,
            _ => rewriter.section(payload)?,
        }
    }
    rewriter.finish()
}

/// The sections of the new module, in the making.
#[derive(Default)]
struct Rewriter {
    survey: Survey,
    types: TypeSection,
    imports: ImportSection,
    functions: FunctionSection,
    tables: TableSection,
    memories: MemorySection,
    globals: GlobalSection,
    exports: ExportSection,
    elements: ElementSection,
    data_count: Option<u32>,
    code: CodeSection,
    data: DataSection,
    /// Types `() -> results` that were added for blocks with several results: the original type and the new index.
    block_types: Vec<(u32, u32)>,
    locals_total: usize,
    allocations: Option<FuncValidatorAllocations>,
}

impl Rewriter {
    fn section(&mut self, payload: Payload<'_>) -> Result<(), AdmissionError> {
        let copy = &mut RoundtripReencoder;
        match payload {
            Payload::TypeSection(section) => copy.parse_type_section(&mut self.types, section),
            Payload::ImportSection(section) => copy.parse_import_section(&mut self.imports, section),
            Payload::FunctionSection(section) => copy.parse_function_section(&mut self.functions, section),
            Payload::TableSection(section) => copy.parse_table_section(&mut self.tables, section),
            Payload::MemorySection(section) => return self.memory(section),
            Payload::GlobalSection(section) => copy.parse_global_section(&mut self.globals, section),
            Payload::ExportSection(section) => copy.parse_export_section(&mut self.exports, section),
            Payload::ElementSection(section) => copy.parse_element_section(&mut self.elements, section),
            Payload::DataCountSection { count, .. } => {
                self.data_count = Some(count);
                Ok(())
            }
            Payload::DataSection(section) => copy.parse_data_section(&mut self.data, section),
            // Custom sections (names, debugging, schemas) are dropped; the rest has no content of its own.
            _ => Ok(()),
        }
        .map_err(refused)
    }

    /// States the limit of growth in the module itself, so that it depends on nobody's configuration.
    fn memory(&mut self, section: wasmparser::MemorySectionReader<'_>) -> Result<(), AdmissionError> {
        for memory in section {
            let memory = memory?;
            let maximum = memory
                .maximum
                .unwrap_or(limit::MEMORY_PAGES)
                .min(limit::MEMORY_PAGES);
            self.memories.memory(MemoryType {
                minimum: memory.initial,
                maximum: Some(maximum),
                memory64: false,
                shared: false,
                page_size_log2: None,
            });
        }
        Ok(())
    }

    fn function(
        &mut self,
        function: FuncToValidate<ValidatorResources>,
        body: &FunctionBody<'_>,
    ) -> Result<(), AdmissionError> {
        at_most("bytes in a function", body.range().len(), limit::BODY_BYTES)?;
        let Some((type_index, ty)) = self.survey.function_type(function.index) else {
            return Err(malformed("a function without a type"));
        };
        let (parameters, results) = (ty.params().len(), ty.results().to_vec());
        let mut validator = function.into_validator(self.allocations.take().unwrap_or_default());
        let mut locals = Vec::new();
        for local in body.get_locals_reader()? {
            let (count, ty) = local?;
            validator.define_locals(body.range().start, count, ty)?;
            locals.push((count, RoundtripReencoder.val_type(ty).map_err(refused)?));
        }
        let (instructions, operands) = rewrite(&mut validator, body)?;

        let local_count = validator.len_locals() as usize;
        at_most("locals in a function", local_count, limit::LOCALS)?;
        self.locals_total = self
            .locals_total
            .saturating_add(local_count.saturating_sub(parameters));
        at_most("locals in all functions", self.locals_total, limit::LOCALS_TOTAL)?;
        self.allocations = Some(validator.into_allocations());

        let block = self.block_type(type_index, parameters, &results)?;
        let cost = local_count
            .saturating_add(operands)
            .saturating_add(instructions.len());
        self.emit(
            locals,
            block,
            i32::try_from(cost).unwrap_or(i32::MAX),
            &instructions,
        );
        Ok(())
    }

    /// The type of a block that takes nothing and leaves a function's results.
    fn block_type(
        &mut self,
        type_index: u32,
        parameters: usize,
        results: &[wasmparser::ValType],
    ) -> Result<BlockType, AdmissionError> {
        match *results {
            [] => return Ok(BlockType::Empty),
            [one] => {
                return Ok(BlockType::Result(
                    RoundtripReencoder.val_type(one).map_err(refused)?,
                ));
            }
            _ if parameters == 0 => return Ok(BlockType::FunctionType(type_index)),
            _ => {}
        }
        if let Some((_, added)) = self.block_types.iter().find(|(of, _)| *of == type_index) {
            return Ok(BlockType::FunctionType(*added));
        }
        let added = self.types.len();
        let results = RoundtripReencoder.val_types(results.to_vec()).map_err(refused)?;
        self.types.ty().function([], results);
        self.block_types.push((type_index, added));
        Ok(BlockType::FunctionType(added))
    }

    fn emit(
        &mut self,
        locals: Vec<(u32, ValType)>,
        block: BlockType,
        cost: i32,
        instructions: &[Instruction<'_>],
    ) {
        let height = self.globals.len();
        let mut function = Function::new(locals);
        function
            .instruction(&Instruction::GlobalGet(height))
            .instruction(&Instruction::I32Const(cost))
            .instruction(&Instruction::I32Add)
            .instruction(&Instruction::GlobalSet(height))
            .instruction(&Instruction::GlobalGet(height))
            .instruction(&Instruction::I32Const(limit::STACK_UNITS.cast_signed()))
            .instruction(&Instruction::I32GtU)
            .instruction(&Instruction::If(BlockType::Empty))
            .instruction(&Instruction::Unreachable)
            .instruction(&Instruction::End)
            .instruction(&Instruction::Block(block));
        for instruction in instructions {
            function.instruction(instruction);
        }
        function
            .instruction(&Instruction::GlobalGet(height))
            .instruction(&Instruction::I32Const(cost))
            .instruction(&Instruction::I32Sub)
            .instruction(&Instruction::GlobalSet(height))
            .instruction(&Instruction::End);
        self.code.function(&function);
    }

    fn finish(mut self) -> Result<Instrumented, AdmissionError> {
        let height = self.globals.len();
        self.globals.global(
            GlobalType {
                val_type: ValType::I32,
                mutable: true,
                shared: false,
            },
            &ConstExpr::i32_const(0),
        );
        self.exports
            .export(EXPORT_STACK_HEIGHT, ExportKind::Global, height);
        let segment_bytes = self.survey.segment_bytes();
        let entry_points = self.survey.finish()?;

        let mut module = Module::new();
        module
            .section(&self.types)
            .section(&self.imports)
            .section(&self.functions)
            .section(&self.tables)
            .section(&self.memories)
            .section(&self.globals)
            .section(&self.exports)
            .section(&self.elements);
        if let Some(count) = self.data_count {
            module.section(&DataCountSection { count });
        }
        module.section(&self.code).section(&self.data);
        Ok(Instrumented {
            wasm: module.finish(),
            entry_points,
            segment_bytes,
        })
    }
}

/// Validates a body; yields its instructions, with `return` as a branch, and the most operands it has at a time.
fn rewrite<'a>(
    validator: &mut FuncValidator<ValidatorResources>,
    body: &FunctionBody<'a>,
) -> Result<(Vec<Instruction<'a>>, usize), AdmissionError> {
    let mut reader = body.get_operators_reader()?;
    let mut instructions = Vec::new();
    let mut operands: u32 = 0;
    while !reader.eof() {
        let (operator, offset) = reader.read_with_offset()?;
        // `return` leaves the added block, whose label is where the function's own label was.
        let outermost = validator.control_stack_height().saturating_sub(1);
        validator.op(offset, &operator)?;
        operands = operands.max(validator.operand_stack_height());
        at_most(
            "nested blocks",
            validator.control_stack_height() as usize,
            limit::NESTING,
        )?;
        if let Operator::BrTable { targets } = &operator {
            at_most("branch targets", targets.len() as usize, limit::BRANCH_TARGETS)?;
        }
        instructions.push(match operator {
            Operator::Return => Instruction::Br(outermost),
            other => RoundtripReencoder.instruction(other).map_err(refused)?,
        });
        at_most("instructions in a function", instructions.len(), limit::OPERATORS)?;
    }
    reader.finish()?;
    Ok((instructions, operands as usize))
}

fn malformed(message: &str) -> AdmissionError {
    AdmissionError::Malformed {
        message: message.to_owned(),
        offset: 0,
    }
}

fn refused(error: reencode::Error) -> AdmissionError {
    match error {
        reencode::Error::ParseError(error) => error.into(),
        other => malformed(&other.to_string()),
    }
}
