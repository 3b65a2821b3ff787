<%@ Page Language="C#" MasterPageFile="~/Site.master" Title="TimeTrack - New entry" %>
<%@ Import Namespace="System.Globalization" %>
<script runat="server">
    protected void Page_Load(object sender, EventArgs e)
    {
        if (!IsPostBack)
            Day.Text = new DateTime(2009, 3, 16).ToString("dd/MM/yyyy");
    }

    protected void Save_Click(object sender, EventArgs e)
    {
        // The browser may have left the validators out; the server never does.
        if (!IsValid)
            return;
        DateTime day = DateTime.ParseExact(Day.Text, "dd/MM/yyyy", CultureInfo.InvariantCulture);
        decimal hours = decimal.Parse(Hours.Text, CultureInfo.InvariantCulture);
        int id = TimesheetData.Add(Application, day, User.Identity.Name, Project.SelectedValue, hours, Note.Text);
        Saved.Text = "Saved as no. " + id + " for " + Server.HtmlEncode(User.Identity.Name) + ".";
        Note.Text = Hours.Text = "";
    }

    protected void CheckDay(object source, ServerValidateEventArgs args)
    {
        DateTime day;
        args.IsValid = DateTime.TryParseExact(args.Value, "dd/MM/yyyy", CultureInfo.InvariantCulture, DateTimeStyles.None, out day);
    }
</script>
<asp:Content ContentPlaceHolderID="Main" runat="server">
  <h1>New entry</h1>
  <p id="saved"><asp:Label ID="Saved" runat="server" CssClass="ok" EnableViewState="false" /></p>
  <table class="form">
    <tr><td>Day:</td><td><asp:TextBox ID="Day" runat="server" />
      <asp:RequiredFieldValidator runat="server" ControlToValidate="Day" CssClass="error" Display="Dynamic" ErrorMessage="The day is missing." />
      <asp:CustomValidator runat="server" ControlToValidate="Day" CssClass="error" Display="Dynamic" OnServerValidate="CheckDay" ErrorMessage="The day must look like 16/03/2009." /></td></tr>
    <tr><td>Project:</td><td><asp:DropDownList ID="Project" runat="server">
      <asp:ListItem>Depot Leeds</asp:ListItem><asp:ListItem>Route planning</asp:ListItem>
      <asp:ListItem>Year-end stock</asp:ListItem><asp:ListItem>Fleet renewal</asp:ListItem><asp:ListItem>Training</asp:ListItem>
    </asp:DropDownList></td></tr>
    <tr><td>Hours:</td><td><asp:TextBox ID="Hours" runat="server" Columns="5" />
      <asp:RequiredFieldValidator runat="server" ControlToValidate="Hours" CssClass="error" Display="Dynamic" ErrorMessage="The hours are missing." />
      <asp:RegularExpressionValidator runat="server" ControlToValidate="Hours" CssClass="error" Display="Dynamic" ValidationExpression="[0-9]{1,2}(\.[0-9]{1,2})?" ErrorMessage="Hours are a number such as 7.5." /></td></tr>
    <tr><td>Note:</td><td><asp:TextBox ID="Note" runat="server" TextMode="MultiLine" Rows="4" Columns="40" /></td></tr>
    <tr><td></td><td><asp:Button ID="Save" runat="server" Text="Save" OnClick="Save_Click" /></td></tr>
  </table>
</asp:Content>
