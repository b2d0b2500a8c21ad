package main

import (
	"bytes"
	"debug/elf"
	"errors"
	"fmt"
)

// checkRunnable returns an error if a binary would not run in an image that contains nothing
// else.
func checkRunnable(architecture string, binary []byte) error {
	machines := map[string]elf.Machine{"amd64": elf.EM_X86_64, "arm64": elf.EM_AARCH64}
	machine, known := machines[architecture]
	if !known {
		return errors.New("an architecture that is not built for")
	}

	program, err := elf.NewFile(bytes.NewReader(binary))
	if err != nil {
		return fmt.Errorf("read it: %w", err)
	}

	if program.Machine != machine {
		return fmt.Errorf("it is built for %s", program.Machine)
	}

	for _, segment := range program.Progs {
		if segment.Type == elf.PT_INTERP {
			return errors.New("it is not static: it needs a loader, which the image does not have")
		}
	}

	return nil
}
