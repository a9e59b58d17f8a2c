package torchfile

import (
	"errors"
	"fmt"
	"strings"

	"github.com/goclip/goclip/internal/tensorfile"
)

// The functions and types that a pickle may call.
const (
	orderedDict      = "collections.OrderedDict"
	rebuildTensor    = "torch._utils._rebuild_tensor_v2"
	rebuildParameter = "torch._utils._rebuild_parameter"
	torchSize        = "torch.Size"

	// Typed lists and dicts of a scripted module's attributes: wrappers of their
	// first argument.
	buildPrefix = "torch.jit._pickle.build_"
	typeTag     = "torch.jit._pickle.restore_type_tag"

	// Classes of TorchScript modules; their code is never looked at.
	scriptPrefix = "__torch__."
)

// opaque reports whether a call of the global gives a record with nothing in it.
// open_clip's cosine schedule was long computed with numpy, so the optimizer's
// learning rates in a training checkpoint are numpy scalars. Weights never are.
func opaque(name global) bool {
	switch name {
	case "numpy.core.multiarray.scalar", "numpy._core.multiarray.scalar", "numpy.dtype", "_codecs.encode":
		return true
	}
	return false
}

// typedValue reports whether a call of the global gives its first argument, and
// how many it takes.
func typedValue(name global) (arguments int, ok bool) {
	switch name {
	case buildPrefix + "intlist", buildPrefix + "doublelist", buildPrefix + "boollist", buildPrefix + "tensorlist":
		return 1, true
	case typeTag:
		return 2, true
	}
	return 0, false
}

// allowed reports whether a global is on the allow-list.
func allowed(name string) bool {
	switch name {
	case orderedDict, rebuildTensor, rebuildParameter, torchSize:
		return true
	}
	_, typed := typedValue(global(name))
	return typed || storageType(name) != "" || strings.HasPrefix(name, scriptPrefix) || opaque(global(name))
}

// storageType returns the element type of a storage class, or "".
func storageType(name string) tensorfile.DType {
	switch name {
	case "torch.DoubleStorage":
		return tensorfile.F64
	case "torch.FloatStorage":
		return tensorfile.F32
	case "torch.HalfStorage":
		return tensorfile.F16
	case "torch.BFloat16Storage":
		return tensorfile.BF16
	case "torch.LongStorage":
		return tensorfile.I64
	case "torch.IntStorage":
		return tensorfile.I32
	case "torch.ShortStorage":
		return tensorfile.I16
	case "torch.CharStorage":
		return tensorfile.I8
	case "torch.ByteStorage":
		return tensorfile.U8
	case "torch.BoolStorage":
		return tensorfile.Bool
	}
	return ""
}

// invoke runs the opcodes that could reach Python code.
func (m *machine) invoke(op byte) error {
	if op == 'c' { // GLOBAL
		module, err := m.in.line()
		if err != nil {
			return err
		}
		name, err := m.in.line()
		if err != nil {
			return err
		}
		if name = module + "." + name; !allowed(name) {
			return fmt.Errorf("global %q is not on the allow-list of a checkpoint's names", name)
		}
		m.push(global(name))
		return nil
	}
	operands := 2
	if op == 'Q' { // BINPERSID
		operands = 1
	}
	args, err := m.popN(operands)
	if err != nil {
		return err
	}
	var v any
	switch op {
	case 'Q':
		id, ok := args[0].(tuple)
		if !ok {
			return fmt.Errorf("persistent id %s, want a tuple", kind(args[0]))
		}
		v, err = m.load(id)
	case 'R': // REDUCE
		v, err = call(args[0], args[1])
	case 0x81: // NEWOBJ
		v, err = newObject(args[0], args[1])
	case 'b': // BUILD
		v, err = args[0], build(args[0], args[1])
	}
	if err != nil {
		return err
	}
	m.push(v)
	return nil
}

// call is the whole of what REDUCE can do.
func call(f, arguments any) (any, error) {
	g, ok := f.(global)
	args, ok2 := arguments.(tuple)
	if !ok || !ok2 {
		return nil, fmt.Errorf("a call of %s with %s, want a global and a tuple", kind(f), kind(arguments))
	}
	typedArgs, typed := typedValue(g)
	switch {
	case typed && len(args) == typedArgs:
		return args[0], nil
	case opaque(g):
		return &object{class: string(g)}, nil
	case g == orderedDict && len(args) == 0:
		return &dict{}, nil
	case g == rebuildTensor && (len(args) == 6 || len(args) == 7):
		t, err := newTensor(args[0], args[1], args[2], args[3])
		if err != nil {
			return nil, fmt.Errorf("tensor: %w", err)
		}
		return t, nil
	case g == rebuildParameter && len(args) == 3:
		if _, ok := args[0].(*tensor); !ok {
			return nil, fmt.Errorf("a parameter of %s, want a tensor", kind(args[0]))
		}
		return args[0], nil
	case g == torchSize && len(args) == 1:
		items, ok := sequence(args[0])
		if !ok {
			return nil, fmt.Errorf("a size of %s, want a tuple", kind(args[0]))
		}
		return tuple(items), nil
	}
	return nil, fmt.Errorf("%s cannot be called with %d arguments", string(g), len(args))
}

func newObject(class, arguments any) (any, error) {
	g, ok := class.(global)
	args, ok2 := arguments.(tuple)
	if !ok || !ok2 || len(args) != 0 || !strings.HasPrefix(string(g), scriptPrefix) {
		return nil, fmt.Errorf("an object of %s, want a TorchScript class and no arguments", kind(class))
	}
	return &object{class: string(g)}, nil
}

// build gives an object its state. A dict takes attributes too: state_dict()
// sets _metadata, the versions of modules, which say nothing of the weights.
func build(v, state any) error {
	switch v := v.(type) {
	case *object:
		if v.state != nil {
			return errors.New("an object gets its state twice")
		}
		v.state = state
		return nil
	case *dict:
		return nil
	}
	return fmt.Errorf("a state for %s, want an object or a dict", kind(v))
}

// sequence returns the items of a tuple or list.
func sequence(v any) ([]any, bool) {
	switch v := v.(type) {
	case tuple:
		return v, true
	case *list:
		return v.items, true
	}
	return nil, false
}
