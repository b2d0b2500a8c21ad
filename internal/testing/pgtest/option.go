package pgtest

import "context"

// MigrateFunc brings the empty database at dsn to the schema under test. It must
// close its connections before it returns, because the database becomes a template.
type MigrateFunc func(ctx context.Context, dsn string) error

// Option is an option of Main, NewDedicated or NewPair.
type Option func(*settings)

type settings struct {
	migrate MigrateFunc
	server  map[string]string
	// asynchronous makes commits not wait for the standby of a pair.
	asynchronous bool
}

// WithMigrations sets the function that creates the schema of a database. Without it
// databases are empty. NewDedicated uses Main's unless it has its own.
func WithMigrations(migrate MigrateFunc) Option {
	return func(s *settings) { s.migrate = migrate }
}

// WithSetting sets a server parameter, such as "max_connections".
func WithSetting(name, value string) Option {
	return func(s *settings) { s.server[name] = value }
}

// WithAsynchronousStandby makes the commits of a pair's primary not wait for the standby.
func WithAsynchronousStandby() Option {
	return func(s *settings) { s.asynchronous = true }
}

// newSettings starts with settings for a cheap test server, then applies options.
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
