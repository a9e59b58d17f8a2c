package torchfile

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
)

// What a pickle of weights never comes near. A checkpoint of ViT-bigG with its
// optimizer has some 150 000 opcodes and 2 MB.
const (
	maxPickle = 64 << 20 // bytes
	maxOps    = 1 << 19  // opcodes, and so values, memo entries and stack depth
	maxString = 1 << 20  // bytes of one string
)

// Values on the machine's stack are nil, bool, int64, float64, string, and:
type (
	tuple []any
	list  struct{ items []any }
	dict  struct{ items []item } // in the order of insertion
	item  struct{ key, value any }

	// global is a name on the allow-list. It stands for itself: nothing is
	// ever called but the few functions of call.
	global string

	// object is an instance of a TorchScript class, or an opaque record: a name
	// and a state.
	object struct {
		class string
		state any
	}
)

// get returns the value of the last item with the given key.
func (d *dict) get(key string) (value any, ok bool) {
	for _, it := range d.items {
		if it.key == key {
			value, ok = it.value, true
		}
	}
	return value, ok
}

// input counts the bytes that the pickles of a file take.
type input struct {
	r   *bufio.Reader
	pos int64
}

func (in *input) byte() (byte, error) {
	b, err := in.r.ReadByte()
	if err != nil {
		return 0, eof(err)
	}
	in.pos++
	return b, nil
}

func (in *input) bytes(n uint32) ([]byte, error) {
	if n > maxString {
		return nil, fmt.Errorf("a string of %d bytes exceeds %d", n, maxString)
	}
	if n > 1<<12 { // not before the file has as many
		b, err := io.ReadAll(io.LimitReader(in.r, int64(n)))
		if in.pos += int64(len(b)); err == nil && len(b) < int(n) {
			err = io.ErrUnexpectedEOF
		}
		return b, err
	}
	b := make([]byte, n)
	k, err := io.ReadFull(in.r, b)
	in.pos += int64(k)
	return b, eof(err)
}

// line returns the bytes before the next newline.
func (in *input) line() (string, error) {
	b, err := in.r.ReadSlice('\n') // as long as the reader's buffer at most
	in.pos += int64(len(b))
	if err != nil {
		return "", eof(err)
	}
	return string(b[:len(b)-1]), nil
}

// uint reads an unsigned little-endian integer of n ≤ 8 bytes.
func (in *input) uint(n int) (uint64, error) {
	var b [8]byte
	k, err := io.ReadFull(in.r, b[:n])
	in.pos += int64(k)
	return binary.LittleEndian.Uint64(b[:]), eof(err)
}

func eof(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}

// machine runs a pickle of protocol 2 without executing anything: it knows the
// opcodes that PyTorch writes, and of Python's globals those on the allow-list.
type machine struct {
	in    *input
	load  func(id tuple) (*storage, error) // resolves a persistent id
	stack []any
	marks []int // heights of the stack
	memo  map[uint32]any
}

// run reads one pickle up to its STOP and returns its value.
func run(in *input, load func(tuple) (*storage, error)) (any, error) {
	m := &machine{in: in, load: load, memo: map[uint32]any{}}
	for range maxOps {
		at := in.pos
		op, err := in.byte()
		if err == nil {
			if op == '.' {
				if len(m.stack) == 1 && len(m.marks) == 0 {
					return m.stack[0], nil
				}
				err = fmt.Errorf("it stops with %d values and %d marks, want one value", len(m.stack), len(m.marks))
			} else {
				err = m.step(op)
			}
		}
		if err != nil {
			return nil, fmt.Errorf("pickle at byte %d: %w", at, err)
		}
	}
	return nil, fmt.Errorf("pickle exceeds %d opcodes", maxOps)
}

func (m *machine) step(op byte) error {
	switch op {
	case 0x80: // PROTO
		v, err := m.in.byte()
		if err == nil && v != 2 {
			err = fmt.Errorf("protocol %d, want 2, which torch.save writes", v)
		}
		return err
	case 'N', 0x88, 0x89, 'J', 'K', 'M', 0x8a, 'G', 'X', 'U':
		v, err := m.scalar(op)
		m.push(v)
		return err
	case '(': // MARK
		m.marks = append(m.marks, len(m.stack))
		return nil
	case '}', ']', ')', 't', 0x85, 0x86, 0x87, 'a', 'e', 's', 'u':
		return m.container(op)
	case 'q', 'r', 'h', 'j':
		return m.remember(op)
	case 'c', 'R', 0x81, 'b', 'Q':
		return m.invoke(op)
	}
	return fmt.Errorf("opcode %#02x is not one that PyTorch writes", op)
}

// scalar reads the operand of an opcode that pushes a plain value.
func (m *machine) scalar(op byte) (any, error) {
	switch op {
	case 0x88, 0x89: // NEWTRUE, NEWFALSE
		return op == 0x88, nil
	case 'J': // BININT
		v, err := m.in.uint(4)
		return int64(int32(v)), err
	case 'K': // BININT1
		v, err := m.in.uint(1)
		return int64(v), err
	case 'M': // BININT2
		v, err := m.in.uint(2)
		return int64(v), err
	case 0x8a: // LONG1
		n, err := m.in.byte()
		if err == nil && n > 8 {
			err = fmt.Errorf("an integer of %d bytes, want at most 8", n)
		}
		if n == 0 || err != nil {
			return int64(0), err
		}
		v, err := m.in.uint(int(n))
		unused := 64 - 8*uint(n)
		return int64(v<<unused) >> unused, err
	case 'G': // BINFLOAT, the one big-endian number of the format
		b, err := m.in.bytes(8)
		return math.Float64frombits(binary.BigEndian.Uint64(b)), err
	case 'X', 'U': // BINUNICODE, SHORT_BINSTRING
		size := 4
		if op == 'U' {
			size = 1
		}
		n, err := m.in.uint(size)
		if err != nil {
			return nil, err
		}
		b, err := m.in.bytes(uint32(n))
		return string(b), err
	}
	return nil, nil // NONE
}

// container makes tuples, lists and dicts, and adds to them.
func (m *machine) container(op byte) error {
	switch op {
	case '}': // EMPTY_DICT
		m.push(&dict{})
	case ']': // EMPTY_LIST
		m.push(&list{})
	case ')': // EMPTY_TUPLE
		m.push(tuple{})
	case 0x85, 0x86, 0x87: // TUPLE1, TUPLE2, TUPLE3
		items, err := m.popN(int(op - 0x84))
		if err != nil {
			return err
		}
		m.push(tuple(items))
	case 't': // TUPLE
		items, err := m.popMark()
		if err != nil {
			return err
		}
		m.push(tuple(items))
	case 'a', 's': // APPEND, SETITEM
		n := 1
		if op == 's' {
			n = 2
		}
		items, err := m.popN(n)
		if err != nil {
			return err
		}
		return m.extend(items)
	case 'e', 'u': // APPENDS, SETITEMS
		items, err := m.popMark()
		if err != nil {
			return err
		}
		return m.extend(items)
	}
	return nil
}

// extend adds items to the list on top of the stack, or to the dict there as
// keys and values in turn.
func (m *machine) extend(items []any) error {
	top, err := m.top()
	if err != nil {
		return err
	}
	switch c := top.(type) {
	case *list:
		c.items = append(c.items, items...)
	case *dict:
		if len(items)%2 != 0 {
			return errors.New("a dict's items end with a key")
		}
		for i := 0; i < len(items); i += 2 {
			c.items = append(c.items, item{items[i], items[i+1]})
		}
	default:
		return fmt.Errorf("items for %s, want a list or a dict", kind(top))
	}
	return nil
}

// remember stores the top of the stack in the memo, or pushes from there.
func (m *machine) remember(op byte) error {
	size := 1
	if op == 'r' || op == 'j' { // LONG_BINPUT, LONG_BINGET
		size = 4
	}
	n, err := m.in.uint(size)
	if err != nil {
		return err
	}
	if op == 'h' || op == 'j' {
		v, ok := m.memo[uint32(n)]
		if !ok {
			return fmt.Errorf("nothing is stored under %d", n)
		}
		m.push(v)
		return nil
	}
	m.memo[uint32(n)], err = m.top()
	return err
}

func (m *machine) push(v any) { m.stack = append(m.stack, v) }

// top returns the value above the last mark.
func (m *machine) top() (any, error) {
	if len(m.stack) <= m.floor() {
		return nil, errors.New("the stack is empty")
	}
	return m.stack[len(m.stack)-1], nil
}

func (m *machine) floor() int {
	if len(m.marks) == 0 {
		return 0
	}
	return m.marks[len(m.marks)-1]
}

// popN takes n values, none of them from below the last mark.
func (m *machine) popN(n int) ([]any, error) {
	if len(m.stack)-n < m.floor() {
		return nil, errors.New("the stack is empty")
	}
	items := append([]any(nil), m.stack[len(m.stack)-n:]...)
	m.stack = m.stack[:len(m.stack)-n]
	return items, nil
}

// popMark takes all values above the last mark, and the mark.
func (m *machine) popMark() ([]any, error) {
	if len(m.marks) == 0 {
		return nil, errors.New("no mark")
	}
	items, err := m.popN(len(m.stack) - m.floor())
	m.marks = m.marks[:len(m.marks)-1]
	return items, err
}

// kind names a value's type in errors.
func kind(v any) string {
	switch v := v.(type) {
	case nil:
		return "None"
	case bool:
		return "a bool"
	case int64:
		return "an int"
	case float64:
		return "a float"
	case string:
		return "a string"
	case tuple:
		return "a tuple"
	case *list:
		return "a list"
	case *dict:
		return "a dict"
	case *tensor:
		return "a tensor"
	case *storage:
		return "a storage"
	case *object:
		return "an object of " + v.class
	case global:
		return string(v)
	}
	return fmt.Sprintf("%T", v)
}
