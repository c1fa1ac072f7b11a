//! JSON Schemas (2020-12) of the data of public events.

use schemars::generate::SchemaSettings;
use schemars::transform::{Transform, transform_subschemas};
use schemars::{JsonSchema, Schema};
use serde_json::Value;

/// The schema of a type. Everything that it refers to stands in it. So each file can be read alone.
pub(crate) fn of<T: JsonSchema>() -> Schema {
    let mut settings = SchemaSettings::draft2020_12().for_serialize();
    settings.inline_subschemas = true;
    settings.with_transform(NeverNull).into_generator().into_root_schema_for::<T>()
}

/// A field without a value is absent, and never null.
#[derive(Clone, Debug)]
struct NeverNull;

impl Transform for NeverNull {
    fn transform(&mut self, schema: &mut Schema) {
        if let Some(Value::Array(types)) = schema.get_mut("type") {
            types.retain(|name| name != "null");
            if let [only] = types.as_slice() {
                let only = only.clone();
                schema.insert("type".to_owned(), only);
            }
        }
        if let Some(Value::Array(variants)) = schema.get_mut("anyOf") {
            variants.retain(|variant| variant.get("type") != Some(&Value::from("null")));
            if let [Value::Object(only)] = variants.as_slice() {
                let only = only.clone();
                schema.remove("anyOf");
                for (name, value) in only {
                    if schema.get(&name).is_none() {
                        schema.insert(name, value);
                    }
                }
            }
        }
        transform_subschemas(self, schema);
    }
}
