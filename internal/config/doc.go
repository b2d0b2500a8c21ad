// Package config owns the settings of the service: one table has the name, the meaning
// and the default of each, and the rest (flags, environment, file, `theeye config`,
// docs/configuration.md) is derived from that table.
//
// A flag wins over the environment, the environment over the file, the file over the
// default. Nothing is ignored silently: an unknown setting is an error that names the
// nearest known one, and Load reports all problems at once. The value of a secret
// appears in no error and no listing.
//
// Commands call Load once and pass the parts of Config to the components that they
// build. The package keeps no state, and its values are safe to share once loaded.
package config
