//go:build !unix

package gateway

// onHangup does nothing: there is no such signal here, and a change of the file
// reloads it.
func onHangup(func()) (stop func()) { return func() {} }
