// Package scripts is the room of what `make` and the hosted CI run; it holds no code of
// the program. Its tests hold the workflows of .github against the rules of the house
// (pinned actions, least permissions, nothing expanded inside a script) and run the
// scripts that a release depends on.
package scripts
