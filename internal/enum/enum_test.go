package enum

import "testing"

type fruit uint8

var names = map[fruit]string{1: "apple", 2: "pear", 3: "plum"}

func TestEnum(t *testing.T) {
	for v, name := range names {
		text, err := Marshal(v, names)
		if err != nil || string(text) != name || String(v, names) != name {
			t.Errorf("%d: %q, %q, %v, want %q", v, text, String(v, names), err, name)
		}
		var back fruit
		if err := Unmarshal(&back, text, names); err != nil || back != v {
			t.Errorf("%q: %d, %v, want %d", text, back, err, v)
		}
	}
	if _, err := Marshal(fruit(0), names); err == nil || err.Error() != "is 0, want apple, pear or plum" {
		t.Errorf("0: %v", err)
	}
	if got := String(fruit(9), names); got != "9 (unknown)" {
		t.Errorf("9: %q", got)
	}
	var v fruit
	if err := Unmarshal(&v, []byte("quince"), names); err == nil || err.Error() != `is "quince", want apple, pear or plum` {
		t.Errorf("quince: %v", err)
	}
}
