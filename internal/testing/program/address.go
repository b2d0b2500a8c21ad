package program

import (
	"context"
	"math/rand/v2"
	"net"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"
)

// FreeAddress returns a free address of this machine, for a program that is stopped and started
// again. It is below the ephemeral ports: a client that keeps connecting to an ephemeral port
// without a listener can end up connected to itself, and the port is taken.
func FreeAddress(t testing.TB) string {
	t.Helper()
	const from, to, tries = 10_000, 30_000, 100
	var listen net.ListenConfig
	for range tries {
		l, err := listen.Listen(context.Background(), "tcp", "127.0.0.1:"+strconv.Itoa(from+rand.IntN(to-from))) //nolint:gosec // any port will do
		if err == nil {
			require.NoError(t, l.Close()) // it was opened only to find a port
			return l.Addr().String()
		}
	}

	require.FailNow(t, "no port is free")
	return ""
}
