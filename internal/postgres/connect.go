package postgres

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// ErrEncoding reports that the database cannot hold every text, or that it would read a text in
// another encoding than the one in which it is sent.
var ErrEncoding = errors.New("the database does not use UTF-8")

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

// requestUTF8 starts sessions with the encoding in which every text is sent and read. It
// overrides the settings of the role, the database and the connection string, and is among the
// parameters that PgBouncer keeps for each client.
func requestUTF8(config *pgx.ConnConfig) { config.RuntimeParams["client_encoding"] = "UTF8" }

// encodingSQL uses no table and takes no lock.
const encodingSQL = `select current_database()::text, current_setting('server_encoding'), current_setting('client_encoding')`

// checkEncoding returns ErrEncoding, with the remedy, unless both the database and the session
// use UTF-8.
func checkEncoding(ctx context.Context, on executor) error {
	var database, server, client string
	if err := on.QueryRow(ctx, encodingSQL).Scan(&database, &server, &client); err != nil {
		return err
	}

	if server != "UTF8" {
		return fmt.Errorf("%w: the encoding of %s is %s, which cannot hold every text, or does not check the text it holds; "+
			"use a database made by `create database NAME encoding 'UTF8' locale 'C' template template0`", ErrEncoding, database, server)
	}

	if client != "UTF8" {
		return fmt.Errorf("%w: sessions begin with client_encoding = %s although UTF8 was requested; "+
			"let the pooler in between pass client_encoding on (PgBouncer: remove it from ignore_startup_parameters)", ErrEncoding, client)
	}

	return nil
}
