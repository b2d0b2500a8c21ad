package main

import (
	"errors"
	"fmt"

	"github.com/the-eye-events/the-eye/internal/app"
)

// serveListenAdvice says, for each setting, how theeye serve is told another address.
func serveListenAdvice() map[string]string {
	return map[string]string{
		"http.listen": "choose another address with --http-listen or THEEYE_HTTP_LISTEN",
		"ops.listen":  "choose another address with --ops-listen or THEEYE_OPS_LISTEN",
	}
}

// devListenAdvice says the same of theeye dev, which most people start by make.
func devListenAdvice() map[string]string {
	return map[string]string{
		"http.listen": `choose another address, such as --listen 127.0.0.1:18080 (with make: make run ARGS="--listen 127.0.0.1:18080")`,
		"ops.listen":  `choose another address, such as --ops-listen 127.0.0.1:18081 (with make: make run ARGS="--ops-listen 127.0.0.1:18081")`,
	}
}

// withListenAdvice adds what to do to the error of a service that cannot listen. Other
// errors stay as they are.
func withListenAdvice(err error, advice map[string]string) error {
	var listen *app.ListenError
	if !errors.As(err, &listen) {
		return err
	}

	return fmt.Errorf("%w; %s", err, advice[listen.Setting])
}
