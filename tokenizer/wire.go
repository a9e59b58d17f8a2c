package tokenizer

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// A wireField is a field of a message in protocol buffers' format, which
// protobuf.dev/programming-guides/encoding describes.
type wireField struct {
	number int
	kind   wireKind
	value  uint64 // of a number
	bytes  []byte // of a string or a message, a view
}

type wireKind uint8

const (
	wireVarint wireKind = iota
	wireFixed64
	wireBytes
	wireGroup // and its end: long out of use
	wireGroupEnd
	wireFixed32
)

var errWireEnd = errors.New("the message ends in the middle of a field")

// wireFields calls f for each field of a message, in order.
func wireFields(message []byte, f func(wireField) error) error {
	for at := 0; at < len(message); {
		field, n, err := readWireField(message[at:])
		if err == nil {
			err = f(field)
		}
		if err != nil {
			return fmt.Errorf("byte %d: %w", at, err)
		}
		at += n
	}
	return nil
}

func readWireField(b []byte) (field wireField, size int, err error) {
	tag, size := binary.Uvarint(b)
	if size <= 0 || tag>>3 == 0 || tag>>3 >= 1<<29 {
		return field, 0, fmt.Errorf("no tag of a field begins there")
	}
	field = wireField{number: int(tag >> 3), kind: wireKind(tag & 7)}
	b = b[size:]
	n := 0
	switch field.kind {
	case wireVarint:
		if field.value, n = binary.Uvarint(b); n <= 0 {
			return field, 0, errWireEnd
		}
	case wireFixed64:
		if n = 8; len(b) < n {
			return field, 0, errWireEnd
		}
		field.value = binary.LittleEndian.Uint64(b)
	case wireFixed32:
		if n = 4; len(b) < n {
			return field, 0, errWireEnd
		}
		field.value = uint64(binary.LittleEndian.Uint32(b))
	case wireBytes:
		length, m := binary.Uvarint(b)
		if m <= 0 || length > uint64(len(b)-m) {
			return field, 0, errWireEnd
		}
		n = m + int(length)
		field.bytes = b[m:n:n]
	default:
		return field, 0, fmt.Errorf("field %d is of kind %d, want 0, 1, 2 or 5", field.number, field.kind)
	}
	return field, size + n, nil
}
