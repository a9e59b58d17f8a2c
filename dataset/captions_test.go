package dataset

import (
	"context"
	"errors"
	"fmt"
	"testing"
)

// TestCaptions are those of the first samples, or of all, up to an error.
func TestCaptions(t *testing.T) {
	src := NewIndexed(4, func(i int) Sample { return Sample{Captions: []string{fmt.Sprint(i), fmt.Sprint(10 * i)}} })
	for n, want := range map[int]string{0: "[0 0 1 10 2 20 3 30]", 2: "[0 0 1 10]", 9: "[0 0 1 10 2 20 3 30]"} {
		got, err := Captions(t.Context(), src, n)
		if err != nil || fmt.Sprint(got) != want {
			t.Errorf("%d samples: got %v, error %v, want %s", n, got, err, want)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Captions(ctx, src, 0); !errors.Is(err, context.Canceled) {
		t.Errorf("got error %v, want %v", err, context.Canceled)
	}
}
