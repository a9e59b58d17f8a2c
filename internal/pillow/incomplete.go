package pillow

import "fmt"

// IncompleteError is about a file of which a part is missing or damaged, and
// of which [Limits.AllowTruncated] reads the rest.
type IncompleteError struct {
	Percent int   // how much of the image was read
	Cause   error // nil where the file just ends
}

func (e *IncompleteError) Error() string {
	if e.Cause != nil {
		return fmt.Sprintf("damaged after %d %%: %v", e.Percent, e.Cause)
	}
	return fmt.Sprintf("cut off after %d %%", e.Percent)
}

func (e *IncompleteError) Unwrap() error { return e.Cause }

// cutOff is the error about a file that ends when part of all has been read.
func cutOff(part, all int) error { return damaged(part, all, nil) }

func damaged(part, all int, cause error) error {
	return &IncompleteError{Percent: int(100 * float64(part) / float64(max(all, 1))), Cause: cause}
}
