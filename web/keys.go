package web

import (
	"errors"
	"fmt"
	"reflect"
	"text/template/parse"
)

// checkTexts returns an error for every key that a template names literally in
// {{t "key"}} and that the language lacks: found at the start, not by a user.
func checkTexts(l *lang) error {
	if l == nil {
		return errors.New("there is no English catalogue")
	}
	var faults []error
	for _, t := range l.templates.Templates() {
		if t.Tree == nil {
			continue
		}
		for _, key := range literalKeys(t.Tree.Root) {
			if !l.has(key) {
				faults = append(faults, fmt.Errorf("template %s: the text %q is not in the English catalogue", t.Name(), key))
			}
		}
	}
	return errors.Join(faults...)
}

// literalKeys returns the keys in {{t "key" …}} under a node.
func literalKeys(node parse.Node) []string {
	var keys []string
	walk(node, func(n parse.Node) {
		c, ok := n.(*parse.CommandNode)
		if !ok || len(c.Args) < 2 {
			return
		}
		f, isFunc := c.Args[0].(*parse.IdentifierNode)
		s, isText := c.Args[1].(*parse.StringNode)
		if isFunc && isText && f.Ident == "t" {
			keys = append(keys, s.Text)
		}
	})
	return keys
}

// walk calls visit for every node under n, n included.
func walk(n parse.Node, visit func(parse.Node)) {
	if n == nil || reflect.ValueOf(n).IsNil() {
		return
	}
	visit(n)
	branch := func(b *parse.BranchNode) {
		walk(b.Pipe, visit)
		walk(b.List, visit)
		walk(b.ElseList, visit)
	}
	switch n := n.(type) {
	case *parse.ListNode:
		for _, c := range n.Nodes {
			walk(c, visit)
		}
	case *parse.ActionNode:
		walk(n.Pipe, visit)
	case *parse.PipeNode:
		for _, c := range n.Cmds {
			walk(c, visit)
		}
	case *parse.CommandNode:
		for _, c := range n.Args {
			walk(c, visit)
		}
	case *parse.IfNode:
		branch(&n.BranchNode)
	case *parse.RangeNode:
		branch(&n.BranchNode)
	case *parse.WithNode:
		branch(&n.BranchNode)
	case *parse.TemplateNode:
		walk(n.Pipe, visit)
	}
}
