// Package guard calls code of the library's user (an image, decoder, tokenizer,
// tower or loss) and turns its panics into errors.
package guard

import (
	"fmt"
	"runtime/debug"
)

// Call returns what f returns. A panic of f becomes an error with its value and its
// stack.
func Call(f func() error) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = &Panic{r, debug.Stack()}
		}
	}()
	return f()
}

// Panic is a panic as an error.
type Panic struct {
	Value any
	Stack []byte
}

func (p *Panic) Error() string { return fmt.Sprintf("panic: %v\n%s", p.Value, p.Stack) }

// Unwrap returns the value, where that is an error.
func (p *Panic) Unwrap() error {
	err, _ := p.Value.(error)
	return err
}
