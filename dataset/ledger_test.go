package dataset

import (
	"reflect"
	"testing"
)

// TestLedgerRestore: a ledger that was saved goes on counting.
func TestLedgerRestore(t *testing.T) {
	whole, again := &Ledger{Limit: 3}, &Ledger{Limit: 3}
	add := func(l *Ledger, keys ...string) (err error) {
		for _, key := range keys {
			err = l.Add("set.tar", key, "empty")
		}
		return err
	}
	if err := add(whole, "a", "b", "a"); err != nil {
		t.Fatal(err)
	}
	again.Restore(whole.Bad())
	if err := add(whole, "b", "c"); err != nil {
		t.Fatal(err)
	}
	if err := add(again, "b", "c"); err != nil {
		t.Fatal(err)
	}
	if got, want := again.Bad(), whole.Bad(); !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	if err := add(again, "d"); err == nil {
		t.Error("a fourth sample in a ledger limited to 3: got no error")
	}
}
