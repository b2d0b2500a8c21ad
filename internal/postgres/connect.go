package postgres

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// ErrEncoding tells that the database cannot hold every text, or that what is sent to it
// would be read as another one.
var ErrEncoding = errors.New("the database is not one of UTF-8")

// parsePoolURL reads a connection string for a pool.
func parsePoolURL(url string) (*pgxpool.Config, error) {
	config, err := pgxpool.ParseConfig(url)
	if err != nil {
		return nil, errBadURL
	}

	requestUTF8(config.ConnConfig)
	return config, nil
}

// parseURL reads a connection string.
func parseURL(url string) (*pgx.ConnConfig, error) {
	config, err := pgx.ParseConfig(url)
	if err != nil {
		return nil, errBadURL
	}

	requestUTF8(config)
	return config, nil
}

// requestUTF8 has sessions begin with the encoding in which everything is sent and read. It
// wins over what is set for the role, for the database and in the connection string, and is
// among the parameters that PgBouncer keeps for each client.
func requestUTF8(config *pgx.ConnConfig) { config.RuntimeParams["client_encoding"] = "UTF8" }

// encodingSQL uses no table and takes no lock.
const encodingSQL = `select current_database()::text, current_setting('server_encoding'), current_setting('client_encoding')`

// checkEncoding returns ErrEncoding, with what to do, unless the database holds UTF-8 and
// the session speaks it.
func checkEncoding(ctx context.Context, on executor) error {
	var database, server, client string
	if err := on.QueryRow(ctx, encodingSQL).Scan(&database, &server, &client); err != nil {
		return err
	}

	if server != "UTF8" {
		return fmt.Errorf("%w: the encoding of %s is %s, which does not hold every text, or does not know what it holds; "+
			"use one that is made by `create database NAME encoding 'UTF8' locale 'C' template template0`", ErrEncoding, database, server)
	}

	if client != "UTF8" {
		return fmt.Errorf("%w: sessions begin with client_encoding = %s though UTF8 was asked for; "+
			"let the pooler in between pass client_encoding on (PgBouncer: take it out of ignore_startup_parameters)", ErrEncoding, client)
	}

	return nil
}
