package main

import (
	"errors"
	"fmt"
	"net"

	"github.com/the-eye-events/the-eye/internal/app"
)

// serveListenAdvice says how to give theeye serve another address than the one that it could
// not listen on.
func serveListenAdvice(failed *app.ListenError) string {
	if failed.Setting == "ops.listen" {
		return "choose another address with --ops-listen or THEEYE_OPS_LISTEN"
	}

	return "choose another address with --http-listen or THEEYE_HTTP_LISTEN"
}

// devListenAdvice does the same for theeye dev, which most users start with make.
func devListenAdvice(failed *app.ListenError) string {
	flag := "--listen"
	port := 8080
	if failed.Setting == "ops.listen" {
		flag = "--ops-listen"
		port = 8081
	}

	if at, ok := errors.AsType[*net.OpError](failed.Err); ok {
		if address, ok := at.Addr.(*net.TCPAddr); ok {
			port = address.Port
		}
	}

	change := fmt.Sprintf("%s 127.0.0.1:%d", flag, suggestPort(port))
	return fmt.Sprintf("choose another address, such as %s (with make: make run ARGS=%q)", change, change)
}

// suggestPort returns another port than a taken one, with the same last digits.
func suggestPort(taken int) int {
	const step = 10_000
	const last = 65_535
	if taken+step > last {
		return taken%step + step
	}

	return taken + step
}

// withListenAdvice adds advice to the error of a service that cannot listen. Other errors
// stay as they are.
func withListenAdvice(err error, advise func(*app.ListenError) string) error {
	var listen *app.ListenError
	if !errors.As(err, &listen) {
		return err
	}

	return fmt.Errorf("%w; %s", err, advise(listen))
}
