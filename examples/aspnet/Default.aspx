<%@ Page Language="C#" MasterPageFile="~/Site.master" Title="TimeTrack - Home" %>
<script runat="server">
    protected void Page_Load(object sender, EventArgs e)
    {
        int visits = Session["Visits"] == null ? 1 : (int)Session["Visits"] + 1;
        Session["Visits"] = visits;
        UserName.Text = Server.HtmlEncode(User.Identity.Name);
        SignedInBy.Text = GatewayIdentity.IsFromGateway(User) ? "the gateway" : "the login page";
        Visits.Text = visits.ToString();
        Started.Text = ((DateTime)Application["Started"]).ToString("dd MMM yyyy HH:mm");
        Finance.Visible = User.IsInRole("finance");
    }
</script>
<asp:Content ContentPlaceHolderID="Main" runat="server">
  <h1>Welcome</h1>
  <table class="form">
    <tr><td>You are:</td><td><strong id="who-am-i"><asp:Literal ID="UserName" runat="server" /></strong></td></tr>
    <tr><td>Signed in by:</td><td id="signed-in-by"><asp:Literal ID="SignedInBy" runat="server" /></td></tr>
    <tr><td>Pages seen here:</td><td id="visits"><asp:Literal ID="Visits" runat="server" /></td></tr>
    <tr><td>Server started:</td><td><asp:Literal ID="Started" runat="server" /></td></tr>
  </table>
  <asp:Panel ID="Finance" runat="server"><p id="finance-note">Finance: the month closes on the 28th.</p></asp:Panel>
  <p>Please enter your hours by Friday noon. Choose from the menu on the left.</p>
</asp:Content>
