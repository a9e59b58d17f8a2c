//go:build !unix

package kernel

import "errors"

func reserve(int) ([]byte, error) { return nil, errors.ErrUnsupported }

func release([]byte) {}
