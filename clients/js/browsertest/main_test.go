//go:build browser

package browsertest_test

import (
	"testing"

	"github.com/the-eye-events/the-eye/internal/postgres"
	"github.com/the-eye-events/the-eye/internal/testing/pgtest"
)

func TestMain(m *testing.M) { pgtest.Main(m, pgtest.WithMigrations(postgres.Migrate)) }
