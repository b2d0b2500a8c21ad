// Package eventtype owns the types of events: a category and a name, with an optional
// JSON Schema (draft 2020-12) that payloads are held against before the answer, in
// versions that are kept.
//
// A Cache judges events by the registered types, without a question to the store; a
// Registry changes them; a Previewer tells what a change would do. A schema may mark
// properties that must not be kept as they were sent (x-theeye); the marks are applied
// before an event, or the copy of a refused one, is written.
//
// Schemas are untrusted: nothing is fetched, and what a schema may cost is bounded when
// it is registered, so that no event can make the judging of it expensive.
package eventtype
