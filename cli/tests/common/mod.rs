//! What is written as JSON is what `docs/output.schema.json` says.

use std::sync::OnceLock;

use boon::{Compiler, SchemaIndex, Schemas};
use serde_json::Value;

/// The schema, as strict as a test wants it: fields that it does not name are wrong here, though programs pass over them.
fn schema() -> &'static (Schemas, SchemaIndex) {
    static SCHEMA: OnceLock<(Schemas, SchemaIndex)> = OnceLock::new();
    SCHEMA.get_or_init(|| {
        let mut schema = serde_json::from_str(include_str!("../../../docs/output.schema.json")).unwrap();
        close(&mut schema);
        let (mut compiler, mut schemas) = (Compiler::new(), Schemas::new());
        compiler.add_resource("output.json", schema).unwrap();
        let index = compiler.compile("output.json", &mut schemas).unwrap();
        (schemas, index)
    })
}

/// Lets objects have the properties alone that the schema names.
fn close(schema: &mut Value) {
    match schema {
        Value::Object(members) => {
            members.values_mut().for_each(close);
            // Members that are called so may be properties themselves.
            if members.get("properties").is_some_and(Value::is_object) && members.contains_key("type") {
                members.insert("additionalProperties".into(), false.into());
            }
        }
        Value::Array(items) => items.iter_mut().for_each(close),
        _ => {}
    }
}

/// A line of JSON, which must be what the schema says.
pub(crate) fn checked(line: &str) -> Value {
    let value: Value = serde_json::from_str(line).unwrap_or_else(|_| panic!("{line}"));
    let (schemas, index) = schema();
    if let Err(error) = schemas.validate(&value, *index) {
        panic!("{line}\n{error}");
    }
    value
}
