// Package cli implements the commands of theeye, apart from serve: administration works on
// the database without a service, and theeye dev starts a service itself. cmd/theeye reads
// the arguments, calls this package, and prints the answers.
//
// The packages below it are the tools of single commands. Each uses the service from
// outside, or gets its dependencies injected.
package cli
