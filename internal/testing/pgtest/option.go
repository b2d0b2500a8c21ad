package pgtest

import (
	"context"

	"go.uber.org/goleak"
)

// MigrateFunc brings the empty database at dsn to the schema under test. It must
// close its connections before it returns, as the database becomes a template.
type MigrateFunc func(ctx context.Context, dsn string) error

// Option changes what Main, Dedicated or NewPair sets up.
type Option func(*settings)

type settings struct {
	migrate     MigrateFunc
	server      map[string]string
	leakIgnores []goleak.Option
	// asynchronous has commits not wait for the standby of a pair.
	asynchronous bool
}

// WithMigrations sets how a database gets its schema. Without it databases are
// empty. Dedicated takes Main's unless it is given its own.
func WithMigrations(migrate MigrateFunc) Option {
	return func(s *settings) { s.migrate = migrate }
}

// WithSetting sets a server parameter, such as "max_connections".
func WithSetting(name, value string) Option {
	return func(s *settings) { s.server[name] = value }
}

// WithAsynchronousStandby has the commits of a pair's primary not wait for the standby.
func WithAsynchronousStandby() Option {
	return func(s *settings) { s.asynchronous = true }
}

// WithLeakIgnores passes options to the goroutine leak check that Main makes
// after the tests have passed.
func WithLeakIgnores(options ...goleak.Option) Option {
	return func(s *settings) { s.leakIgnores = append(s.leakIgnores, options...) }
}

// newSettings starts from what makes a test server cheap, then applies options.
func newSettings(options []Option) settings {
	s := settings{server: map[string]string{
		"shared_buffers":  "64MB",
		"max_connections": "300",
		"jit":             "off",
	}}
	for _, option := range options {
		option(&s)
	}

	return s
}
