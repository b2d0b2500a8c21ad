// Package codegen is `theeye event-type generate`: it writes the types of payloads, and a
// function for each event type, in Go or TypeScript, so that a wrong payload does not compile.
//
// cmd/theeye calls it. A schema is read into shapes, which hold what both languages can say;
// a shape is never narrower than the schema by accident: what a language cannot say becomes a
// wider type, with a comment that names it. Generate is pure, and its output depends on nothing
// but the event types and the options.
package codegen
