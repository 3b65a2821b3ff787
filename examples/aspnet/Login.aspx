<%@ Page Language="C#" MasterPageFile="~/Site.master" Title="TimeTrack - Log in" %>
<script runat="server">
    protected void LogIn_Click(object sender, EventArgs e)
    {
        if (FormsAuthentication.Authenticate(UserName.Text, Password.Text))
            FormsAuthentication.RedirectFromLoginPage(UserName.Text, false);
        else
            Problem.Text = "The user name or the password is wrong.";
    }
</script>
<asp:Content ContentPlaceHolderID="Main" runat="server">
  <h1>Log in</h1>
  <table class="form">
    <tr><td>User name:</td><td><asp:TextBox ID="UserName" runat="server" /></td></tr>
    <tr><td>Password:</td><td><asp:TextBox ID="Password" runat="server" TextMode="Password" /></td></tr>
    <tr><td></td><td><asp:Button ID="LogIn" runat="server" Text="Log in" OnClick="LogIn_Click" /></td></tr>
  </table>
  <p id="problem"><asp:Label ID="Problem" runat="server" CssClass="error" EnableViewState="false" /></p>
</asp:Content>
