// Package scripts holds the scripts that `make` and the hosted CI run; it has no code of the
// program. Its tests check the workflows of .github against the project's rules (pinned
// actions, least permissions, no expression inside a script) and run the scripts that a release
// depends on.
package scripts
