package postgres_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/the-eye-events/the-eye/internal/ingest"
	"github.com/the-eye-events/the-eye/internal/postgres"
	"github.com/the-eye-events/the-eye/internal/testing/pgtest"
)

// A database that cannot hold every text is refused by its name, with the remedy, and nothing is
// created in it.
func TestADatabaseOfAnotherEncodingIsRefused(t *testing.T) {
	t.Parallel()
	for _, encoding := range []string{"LATIN1", "SQL_ASCII", "EUC_JP"} {
		t.Run(encoding, func(t *testing.T) {
			t.Parallel()
			d := pgtest.NewEncoded(t, encoding)
			err := postgres.Migrate(t.Context(), d.DSN())
			require.ErrorIs(t, err, postgres.ErrEncoding)
			require.ErrorContains(t, err, "the encoding of "+d.Name()+" is "+encoding)
			require.ErrorContains(t, err, "create database NAME encoding 'UTF8' locale 'C' template template0")
			var tables int
			require.NoError(t, d.Pool(t).QueryRow(t.Context(), "select count(*) from pg_class where relnamespace = 'public'::regnamespace").Scan(&tables))
			require.Zero(t, tables)

			// A database that an earlier release migrated.
			require.ErrorIs(t, openDB(t, d.DSN()).CheckSchema(t.Context()), postgres.ErrEncoding)
		})
	}
}

// The remedy in the message works on every version.
func TestTheRemedyForAnEncodingWorks(t *testing.T) {
	t.Parallel()
	d := pgtest.NewEncoded(t, "SQL_ASCII")
	_, err := d.Pool(t).Exec(t.Context(), "create database "+d.Name()+"_u encoding 'UTF8' locale 'C' template template0")
	require.NoError(t, err)
	t.Cleanup(func() {
		_, err := d.Pool(t).Exec(context.Background(), "drop database "+d.Name()+"_u with (force)")
		require.NoError(t, err)
	})
	require.NoError(t, postgres.Migrate(t.Context(), strings.Replace(d.DSN(), "/"+d.Name()+"?", "/"+d.Name()+"_u?", 1)))
}

// Sessions start with UTF-8 whatever the settings are: no text is rejected, changed or misread.
func TestSessionsSpeakUTF8WhateverIsSet(t *testing.T) {
	t.Parallel()
	for name, setting := range map[string]func(c *testRoles) (statements []string, url string){
		"database": func(c *testRoles) ([]string, string) {
			return []string{"alter database " + c.Name() + " set client_encoding = 'LATIN1'"}, c.DSNAs(c.service)
		},
		"role": func(c *testRoles) ([]string, string) {
			return []string{"alter role " + c.service + " set client_encoding = 'SQL_ASCII'"}, c.DSNAs(c.service)
		},
		"role in database": func(c *testRoles) ([]string, string) {
			return []string{"alter role " + c.service + " in database " + c.Name() + " set client_encoding = 'WIN1252'"}, c.DSNAs(c.service)
		},
		"url": func(c *testRoles) ([]string, string) { return nil, c.DSNAs(c.service) + "&client_encoding=LATIN1" },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newTestRoles(t)
			c.exec(t, "insert into application (name) values ('shop')")
			statements, url := setting(c)
			c.exec(t, statements...)

			db := openDB(t, url)
			require.NoError(t, db.CheckSchema(t.Context()))
			store := newStore(db, keepAll())
			sent := envelope(uuid.New(), firstOf(0))
			sent.Event.Data = []byte(`{"text":"ÄÖß € 漢字 😀 \u6f22"}`)
			require.Equal(t, ingest.Stored, submit(t, collector(t, store, 1), request(shop, sent))[0].Status)
			require.Equal(t, ingest.Duplicate, submit(t, collector(t, store, 1), request(shop, sent))[0].Status)
			stored, err := postgres.NewQueryStore(db).Event(t.Context(), sent.Event.ID)
			require.NoError(t, err)
			require.JSONEq(t, string(sent.Event.Data), string(stored.Data))

			inspector, err := postgres.NewInspector(t.Context(), postgres.Config{URL: url, ConnectTimeout: 3 * time.Second}, time.Now)
			require.NoError(t, err)
			t.Cleanup(inspector.Close)
			require.Equal(t, "UTF8", inspector.InspectDatabase(t.Context()).Server.Value.ClientEncoding)
			require.NoError(t, postgres.MakeRoles(t.Context(), c.DSNAs(c.owner), c.roles()))
			require.NoError(t, postgres.Migrate(t.Context(), c.DSNAs(c.owner)))
		})
	}
}
