// Package cli is what the commands of theeye do, apart from serving: on the database and
// without a service, as administration does, or with a service that it starts itself, as
// theeye dev does. cmd/theeye reads the arguments, calls it, and prints the answers.
//
// The packages below it are the tools of single commands. Each sees the service from
// outside, or is given what it needs.
package cli
