package cli

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
)

// Somebody who pressed Ctrl-C reads that, and not what the program made of it.
func TestUnfinishedErasureNamesItsReason(t *testing.T) {
	t.Parallel()
	interrupted := &UnfinishedError{cause: fmt.Errorf("wait: %w", context.Canceled)}
	require.Contains(t, interrupted.Error(), "not finished yet (interrupted): any service")
	failed := &UnfinishedError{cause: errors.New("the database cannot be reached")}
	require.Contains(t, failed.Error(), "not finished yet (the database cannot be reached): any service")
}
