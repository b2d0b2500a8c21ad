package reconcile_test

import (
	"testing"

	"github.com/the-eye-events/the-eye/internal/pgtest"
	"github.com/the-eye-events/the-eye/internal/postgres"
)

func TestMain(m *testing.M) { pgtest.Main(m, pgtest.WithMigrations(postgres.Migrate)) }
