package main

import (
	"errors"
	"fmt"

	"github.com/the-eye-events/the-eye/internal/app"
)

// serveListenAdvice says, for each setting, how to give theeye serve another address.
func serveListenAdvice() map[string]string {
	return map[string]string{
		"http.listen": "choose another address with --http-listen or THEEYE_HTTP_LISTEN",
		"ops.listen":  "choose another address with --ops-listen or THEEYE_OPS_LISTEN",
	}
}

// devListenAdvice does the same for theeye dev, which most users start with make.
func devListenAdvice() map[string]string {
	return map[string]string{
		"http.listen": `choose another address, such as --listen 127.0.0.1:28080 (with make: make run ARGS="--listen 127.0.0.1:28080")`,
		"ops.listen":  `choose another address, such as --ops-listen 127.0.0.1:28081 (with make: make run ARGS="--ops-listen 127.0.0.1:28081")`,
	}
}

// withListenAdvice adds advice to the error of a service that cannot listen. Other errors
// stay as they are.
func withListenAdvice(err error, advice map[string]string) error {
	var listen *app.ListenError
	if !errors.As(err, &listen) {
		return err
	}

	return fmt.Errorf("%w; %s", err, advice[listen.Setting])
}
