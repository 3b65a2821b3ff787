// Package local checks passwords of users kept by Sallyport.
package local
