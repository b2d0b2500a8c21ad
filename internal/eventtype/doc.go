// Package eventtype owns the types of events: a category and a name, with an optional
// JSON Schema (draft 2020-12). Payloads are validated against the schema before the
// answer. Previous versions of a type are kept.
//
// A Cache validates events against the registered types, without a query to the store;
// a Registry changes types; a Previewer shows the effect of a change. A schema may mark
// properties that must not be stored as they were sent (x-theeye); the marks are
// applied before an event, or the copy of a rejected one, is written.
//
// Schemas are untrusted: nothing is fetched, and the cost of a schema is bounded when
// it is registered, so that no event can be expensive to validate.
package eventtype
