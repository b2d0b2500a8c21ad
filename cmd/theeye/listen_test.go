package main_test

import (
	"net"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	program "github.com/the-eye-events/the-eye/cmd/theeye"
	"github.com/the-eye-events/the-eye/internal/app"
)

// Whatever address is taken, the advice names another one, for the API and the ops port.
func TestTheAdviceForATakenPortIsAnotherPort(t *testing.T) {
	t.Parallel()
	for taken, want := range map[int]string{80: "10080", 8080: "18080", 18080: "28080", 18081: "28081", 58080: "18080", 65535: "15535"} {
		for setting, flag := range map[string]string{"http.listen": "--listen", "ops.listen": "--ops-listen"} {
			address := &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: taken}
			err := program.DevListenError(&app.ListenError{Setting: setting, Err: &net.OpError{Op: "listen", Net: "tcp", Addr: address, Err: syscall.EADDRINUSE}})
			change := flag + " 127.0.0.1:" + want
			require.True(t, strings.HasSuffix(err.Error(), "address already in use; choose another address, such as "+change+` (with make: make run ARGS="`+change+`")`), "%v", err)
		}
	}

	// A name that cannot be resolved has no port.
	err := program.DevListenError(&app.ListenError{Setting: "ops.listen", Err: &net.OpError{Op: "listen", Net: "tcp", Err: &net.DNSError{Err: "no such host"}}})
	require.ErrorContains(t, err, "no such host; choose another address, such as --ops-listen 127.0.0.1:18081 ")
	require.ErrorIs(t, program.DevListenError(syscall.EACCES), syscall.EACCES)
}
