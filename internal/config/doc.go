// Package config owns the settings of the service: one table says how each is
// called, what it means and what it is when nobody sets it, and everything else
// (flags, environment, file, `theeye config`, docs/configuration.md) is made from that table.
//
// A flag wins over the environment, the environment over the file, the file over
// the default. What nobody asked for is never passed over in silence: an unknown
// setting is an error that names the nearest known one, and Load reports all
// problems at once. The value of a secret appears in no error and no listing.
//
// Commands call Load once and hand the parts of Config to what they build. The
// package keeps no state, and its values are safe to share once loaded.
package config
